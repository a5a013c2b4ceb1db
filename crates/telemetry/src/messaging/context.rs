use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};

use crate::propagation::{Propagation, joined};

/// The headers a context is carried by.
const FIELDS: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// The context that a message was made in, to be carried along with it: in its headers, or in columns of its row.
///
/// It stands for the span of the message's producer (semantic conventions 1.45, `docs/messaging/messaging-spans.md`,
/// "Context propagation"), in the texts of W3C Trace Context and W3C Baggage. Nothing is checked before a consumer reads
/// it, which never fails: a context that breaks a rule is none.
///
/// ```
/// use telemetry::MessageContext;
///
/// let row = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
/// let context = MessageContext::from_pairs(row);
/// assert!(context.pairs().eq(row));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageContext {
    lines: Vec<(&'static str, String)>,
}

// === impl MessageContext ===

impl MessageContext {
    /// The context that these names and values carry; names match in any case, and other names are left out.
    pub fn from_pairs<K: AsRef<str>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let lines = pairs.into_iter().filter_map(|(name, value)| Some((field(name.as_ref())?, value.into())));
        Self { lines: lines.collect() }
    }

    /// The context that these headers carry.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let lines = headers.iter().filter_map(|(name, value)| {
            // What is no text is kept as what is no context, so that a broken line cannot hide beside a good one.
            Some((field(name.as_str())?, String::from_utf8_lossy(value.as_bytes()).into_owned()))
        });
        Self { lines: lines.collect() }
    }

    /// The names and values to carry: `traceparent`, and `tracestate` and `baggage` where there are any. None where there
    /// was no trace.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.lines.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Writes the context into headers, in place of what they carried before.
    pub fn write_to(&self, headers: &mut HeaderMap) {
        for field in FIELDS {
            headers.remove(field);
        }
        for (name, value) in &self.lines {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }

    /// The context of `cx`, with those members of its baggage whose keys are in `allowed`.
    pub(crate) fn of(cx: &Context, propagation: Propagation, allowed: &[&'static str]) -> Self {
        let mut context = Self::default();
        let baggage = joined(&Baggage::new(), cx.baggage(), |key| allowed.contains(&key));
        propagation.inject_context(&cx.with_baggage(baggage), &mut context);
        context
    }

    /// The span that the message was made in; an invalid one for none.
    pub(crate) fn origin(&self, propagation: Propagation) -> SpanContext {
        self.read(&Context::new(), propagation).span().span_context().clone()
    }

    /// `parent` with what this context says: its span as the remote span, and its baggage.
    pub(super) fn read(&self, parent: &Context, propagation: Propagation) -> Context {
        propagation.extract_with_context(parent, self)
    }
}

fn field(name: &str) -> Option<&'static str> {
    FIELDS.into_iter().find(|field| field.eq_ignore_ascii_case(name))
}

impl Injector for MessageContext {
    fn set(&mut self, key: &str, value: String) {
        if let Some(name) = field(key) {
            self.lines.retain(|(other, _)| *other != name);
            self.lines.push((name, value));
        }
    }
}

impl Extractor for MessageContext {
    fn get(&self, key: &str) -> Option<&str> {
        self.pairs().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    fn keys(&self) -> Vec<&str> {
        self.pairs().map(|(name, _)| name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<_> = self.pairs().filter(|(name, _)| *name == key).map(|(_, value)| value).collect();
        (!values.is_empty()).then_some(values)
    }
}
