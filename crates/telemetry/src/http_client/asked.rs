//! What a request asks for, as its span and its series tell it.

use opentelemetry::{KeyValue, StringValue};
use reqwest::Request;

use super::{HttpCall, url};
use crate::attributes::{bounded, shortened, without_brackets};
use crate::http_method::KnownMethods;
use crate::{repeated, semconv};

/// What series tell requests apart by before there is an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// `_OTHER` for a method that is not known.
    method: StringValue,
    address: StringValue,
    port: Option<u16>,
    /// Empty where there is none.
    url_template: &'static str,
}

// === impl Asked ===

impl Asked {
    pub(super) fn of(methods: &KnownMethods, request: &Request, call: HttpCall) -> Self {
        let address = without_brackets(request.url().host_str().unwrap_or_default());
        Self {
            method: methods.attribute(request.method().as_str()),
            address: repeated::name(address),
            port: request.url().port_or_known_default(),
            url_template: call.url_template,
        }
    }

    /// `GET /v1/payments/{id}`; an unknown method is `HTTP`.
    pub(super) fn name(&self) -> String {
        let method = if self.is_unknown() { "HTTP" } else { self.method.as_str() };
        format!("{method} {}", self.url_template).trim_end().to_owned()
    }

    pub(super) fn url_template(&self) -> Option<&'static str> {
        Some(self.url_template).filter(|template| !template.is_empty())
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = KeyValue> {
        let method = KeyValue::new(semconv::HTTP_REQUEST_METHOD, self.method.clone());
        let address = KeyValue::new(semconv::SERVER_ADDRESS, self.address.clone());
        let port = self.port.map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port)));
        [method, address].into_iter().chain(port)
    }

    /// The same and the template.
    pub(super) fn with_template(&self) -> Vec<KeyValue> {
        let template = self.url_template().map(|template| KeyValue::new(semconv::URL_TEMPLATE, template));
        self.attributes().chain(template).collect()
    }

    /// What the span says before the request is sent.
    pub(super) fn of_span(&self, request: &Request, call: HttpCall) -> Vec<KeyValue> {
        let mut attributes = self.with_template();
        attributes.push(KeyValue::new(semconv::URL_FULL, bounded(&url::redacted(request.url()))));
        if self.is_unknown() {
            let original = shortened(request.method().as_str());
            attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD_ORIGINAL, original));
        }
        if call.resend_count > 0 {
            attributes.push(KeyValue::new(semconv::HTTP_REQUEST_RESEND_COUNT, i64::from(call.resend_count)));
        }
        attributes
    }

    fn is_unknown(&self) -> bool {
        self.method.as_str() == semconv::OTHER
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    #[track_caller]
    fn check(method: &str, url: &str, call: HttpCall, name: &str) -> Vec<KeyValue> {
        let request = Request::new(Method::from_bytes(method.as_bytes()).unwrap(), url.parse().unwrap());
        let asked = Asked::of(&KnownMethods::default(), &request, call);
        assert_eq!(asked.name(), name);
        asked.of_span(&request, call)
    }

    #[test]
    fn an_unknown_method_is_other_and_keeps_its_name_aside() {
        let call = HttpCall { url_template: "/a", resend_count: 0 };
        let attributes = check("BREW", "http://bank.example/a", call, "HTTP /a");
        assert!(attributes.contains(&KeyValue::new("http.request.method", "_OTHER")));
        assert!(attributes.contains(&KeyValue::new("http.request.method_original", "BREW")));
    }

    #[test]
    fn numbers_are_numbers_and_the_port_is_the_schemes_own_by_default() {
        let call = HttpCall { url_template: "", resend_count: 2 };
        let attributes = check("GET", "https://[::1]/a/secret", call, "GET");
        assert!(attributes.contains(&KeyValue::new("server.address", "::1")));
        assert!(attributes.contains(&KeyValue::new("server.port", 443_i64)));
        assert!(attributes.contains(&KeyValue::new("http.request.resend_count", 2_i64)));
        assert!(!attributes.iter().any(|attribute| attribute.key.as_str() == "url.template"));
    }
}
