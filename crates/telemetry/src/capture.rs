//! Headers and metadata that spans show: those that code lists, and of those none that may hold a secret.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::SpanBuilder;
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};

use crate::attributes::bounded;
use crate::secret::HIDDEN;
use crate::sensitive::is_sensitive;

/// The headers to show, each with the attribute it becomes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured(Option<Arc<[Header]>>);

#[derive(Clone, Debug, PartialEq)]
struct Header {
    name: HeaderName,
    attribute: Key,
}

// === impl Captured ===

impl Captured {
    /// Shows the headers `names` as well, as `prefix` and their name. Warns of those that are never shown.
    ///
    /// # Panics
    /// If one of the names is none that a header can have.
    pub(crate) fn and(&self, prefix: &str, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut headers: Vec<_> = self.headers().to_vec();
        for name in names {
            let name: HeaderName = name.as_ref().parse().expect("a header's name");
            if is_sensitive(name.as_str()) {
                tracing::warn!(header = %name, "header may hold secrets, its value is never captured");
                continue;
            }
            let header = Header { attribute: format!("{prefix}.{name}").into(), name };
            if !headers.contains(&header) {
                headers.push(header);
            }
        }
        Self(Some(headers.into()).filter(|headers: &Arc<[Header]>| !headers.is_empty()))
    }

    /// An attribute for each header that is there: the list of its values, those of `-bin` metadata in base64, as they
    /// are sent.
    pub(crate) fn attributes<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = KeyValue> + use<'a> {
        self.headers().iter().filter_map(|header| {
            let values: Vec<_> = headers.get_all(&header.name).iter().map(shown).collect();
            let is_there = !values.is_empty();
            is_there.then(|| KeyValue::new(header.attribute.clone(), Value::Array(Array::String(values))))
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn headers(&self) -> &[Header] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// The span with the headers to show among its attributes.
pub(crate) fn captured(mut span: SpanBuilder, captured: &Captured, headers: &HeaderMap) -> SpanBuilder {
    if !captured.is_empty() {
        span.attributes.get_or_insert_default().extend(captured.attributes(headers));
    }
    span
}

fn shown(value: &HeaderValue) -> StringValue {
    if value.is_sensitive() {
        return HIDDEN.into();
    }
    bounded(&String::from_utf8_lossy(value.as_bytes())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(attribute: KeyValue) -> (String, String) {
        (attribute.key.to_string(), attribute.value.to_string())
    }

    #[test]
    fn listed_headers_are_shown_and_denied_ones_never() {
        let captured = Captured::default().and("h", ["X-Tenant", "authorization", "x-tenant", "blob-bin", "x-session"]);
        let mut headers = HeaderMap::new();
        headers.append("x-tenant", HeaderValue::from_static("a"));
        headers.append("x-tenant", HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append("authorization", HeaderValue::from_static("Bearer x"));
        headers.append("blob-bin", HeaderValue::from_static("AAEC"));
        let mut session = HeaderValue::from_static("s");
        session.set_sensitive(true);
        headers.append("x-session", session);
        headers.append("unlisted", HeaderValue::from_static("u"));

        let shown: Vec<_> = captured.attributes(&headers).map(texts).collect();
        let expected =
            [("h.x-tenant", "[\"a\",\"\u{fffd}\"]"), ("h.blob-bin", "[\"AAEC\"]"), ("h.x-session", "[\"[secret]\"]")];
        assert_eq!(shown, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn nothing_listed_is_nothing() {
        assert!(Captured::default().and("h", ["cookie"]).is_empty());
    }
}
