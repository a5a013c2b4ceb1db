use std::sync::Arc;

use http::Method;
use opentelemetry::StringValue;

use crate::environment::Environment;
use crate::semconv;

/// The methods of RFC 9110 and RFC 5789 and the QUERY method, as the conventions list them.
const STANDARD: [&str; 10] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];

/// The methods that spans and metrics tell apart; every other is `_OTHER`, so that callers cannot invent names. Cheap to
/// clone.
///
/// `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` replaces the list (semantic conventions 1.45, `docs/http/http-spans.md`).
#[derive(Clone, Debug)]
pub(crate) struct KnownMethods(Arc<[StringValue]>);

// === impl KnownMethods ===

impl Default for KnownMethods {
    fn default() -> Self {
        Self(Arc::new(STANDARD.map(StringValue::from)))
    }
}

impl KnownMethods {
    pub(crate) fn of(environment: &Environment) -> Self {
        const NAME: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";
        let Some(list) = environment.get(NAME) else { return Self::default() };
        let names: Vec<_> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.is_empty() || names.iter().any(|name| Method::from_bytes(name.as_bytes()).is_err()) {
            environment.warn(NAME, "is not a list of HTTP methods, ignored");
            return Self::default();
        }
        Self(names.into_iter().map(|name| StringValue::from(Arc::<str>::from(name))).collect())
    }

    /// The method as attributes say it, `_OTHER` for one that is not known. Names are case-sensitive.
    pub(crate) fn attribute(&self, method: &str) -> StringValue {
        self.find(method).cloned().unwrap_or(StringValue::from(semconv::OTHER))
    }

    /// The method as spans are named after it, `HTTP` for one that is not known.
    pub(crate) fn name<'m>(&self, method: &'m str) -> &'m str {
        if self.find(method).is_some() { method } else { "HTTP" }
    }

    fn find(&self, method: &str) -> Option<&StringValue> {
        self.0.iter().find(|known| known.as_str() == method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(methods: &KnownMethods, method: &str, attribute: &str, name: &str) {
        assert_eq!((methods.attribute(method).as_str(), methods.name(method)), (attribute, name));
    }

    #[test]
    fn the_standard_methods_are_known_by_their_exact_names() {
        let methods = KnownMethods::default();
        check(&methods, "GET", "GET", "GET");
        check(&methods, "QUERY", "QUERY", "QUERY");
        check(&methods, "get", "_OTHER", "HTTP");
        check(&methods, "PROPFIND", "_OTHER", "HTTP");
    }

    #[test]
    fn what_is_no_list_of_methods_is_warned_of_and_the_standard_ones_hold() {
        for wrong in [",", "GET;POST,G T", "GET,Ä"] {
            let environment = [("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", wrong)].into_iter().collect();
            check(&KnownMethods::of(&environment), "POST", "POST", "POST");
            assert_eq!(environment.take_warnings().len(), 1, "{wrong}");
        }
    }

    #[test]
    fn the_environments_list_replaces_them() {
        let environment = [("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, PROPFIND,")].into_iter().collect();
        let methods = KnownMethods::of(&environment);
        check(&methods, "GET", "GET", "GET");
        check(&methods, "PROPFIND", "PROPFIND", "PROPFIND");
        check(&methods, "POST", "_OTHER", "HTTP");
        check(&methods, "", "_OTHER", "HTTP");
    }
}
