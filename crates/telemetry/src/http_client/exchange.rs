//! One request and its answer as a span.

use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, ContextGuard, KeyValue, StringValue};
use opentelemetry_sdk::trace::SdkTracer;
use reqwest::{Request, Response, StatusCode, Version};

use super::{HttpCall, url};
use crate::deadline::Deadline;
use crate::semconv;

/// A request under way, up to the last byte of its answer: finished exactly once, at the latest when it is dropped.
#[derive(Debug)]
pub(super) struct Exchange {
    cx: Context,
    deadline: Option<Deadline>,
    has_answer: bool,
    has_failed: bool,
    open: bool,
}

// === impl Exchange ===

impl Exchange {
    /// Starts the span as a child of the current one.
    pub(super) fn start(tracer: &SdkTracer, request: &Request, call: HttpCall) -> Self {
        let parent = Context::current();
        let span = tracer
            .span_builder(name(request, call))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes(request, call))
            .start_with_context(tracer, &parent);
        Self {
            cx: parent.with_span(span),
            deadline: Deadline::current(),
            has_answer: false,
            has_failed: false,
            open: true,
        }
    }

    /// The context of the request, in which it is to be sent.
    pub(super) fn context(&self) -> &Context {
        &self.cx
    }

    /// Makes the request's context current until the guard is dropped.
    pub(super) fn enter(&self) -> ContextGuard {
        self.cx.clone().attach()
    }

    /// Takes note of the answer's head.
    pub(super) fn answered(&mut self, response: &Response) {
        self.has_answer = true;
        let span = self.cx.span();
        let status = response.status();
        span.set_attribute(KeyValue::new(semconv::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
        if let Some(version) = version(response.version()) {
            span.set_attribute(KeyValue::new(semconv::NETWORK_PROTOCOL_VERSION, version));
        }
        if let Some(peer) = response.remote_addr() {
            span.set_attribute(KeyValue::new(semconv::NETWORK_PEER_ADDRESS, peer.ip().to_string()));
            span.set_attribute(KeyValue::new(semconv::NETWORK_PEER_PORT, i64::from(peer.port())));
        }
        if is_error(status) {
            self.fail(status.as_str().to_owned().into());
        }
    }

    /// Ends the span: the answer is complete, or there is an error in its place. Later ends are ignored.
    pub(super) fn finish(&mut self, error: Option<&reqwest::Error>) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        if let Some(error) = error {
            self.fail(kind(error).into());
        }
        self.cx.span().end();
    }

    /// An answer that is an error already stays that error, even if its body fails too.
    fn fail(&mut self, error_type: StringValue) {
        if std::mem::replace(&mut self.has_failed, true) {
            return;
        }
        self.cx.span().set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type));
        // No description: the attribute says it all, and reqwest's messages hold the URL.
        self.cx.span().set_status(Status::error(""));
    }

    fn give_up(&mut self) {
        if !self.open {
            return;
        }
        if self.deadline.is_some_and(|deadline| deadline.has_passed()) {
            self.fail("timeout".into());
        } else if !self.has_answer {
            self.cx.span().set_attribute(KeyValue::new(semconv::ERROR_TYPE, "cancelled"));
        }
        self.finish(None);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// `GET /v1/payments/{id}`; an unknown method is `HTTP`.
fn name(request: &Request, call: HttpCall) -> String {
    let method = request.method().as_str();
    let method = if is_known(method) { method } else { "HTTP" };
    format!("{method} {}", call.url_template).trim_end().to_owned()
}

/// What is known before the request is sent, so that samplers see it.
fn attributes(request: &Request, call: HttpCall) -> Vec<KeyValue> {
    let method = request.method().as_str();
    let address = request.url().host_str().unwrap_or_default().trim_matches(['[', ']']);
    let mut attributes = vec![
        KeyValue::new(semconv::SERVER_ADDRESS, address.to_owned()),
        KeyValue::new(semconv::URL_FULL, url::redacted(request.url())),
    ];
    if is_known(method) {
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD, method.to_owned()));
    } else {
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD, semconv::OTHER));
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD_ORIGINAL, method.to_owned()));
    }
    if let Some(port) = request.url().port_or_known_default() {
        attributes.push(KeyValue::new(semconv::SERVER_PORT, i64::from(port)));
    }
    if !call.url_template.is_empty() {
        attributes.push(KeyValue::new(semconv::URL_TEMPLATE, call.url_template));
    }
    if call.resend_count > 0 {
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_RESEND_COUNT, i64::from(call.resend_count)));
    }
    attributes
}

/// The methods of RFC 9110 and RFC 5789 and the QUERY method, as the conventions list them.
fn is_known(method: &str) -> bool {
    matches!(method, "CONNECT" | "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT" | "QUERY" | "TRACE")
}

/// To a client an answer of 4xx is an error as well.
fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// The error in one of few words.
fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else if error.is_body() || error.is_decode() {
        "body"
    } else if error.is_request() {
        "request"
    } else {
        semconv::OTHER
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    fn request(method: &str, url: &str) -> Request {
        Request::new(Method::from_bytes(method.as_bytes()).unwrap(), url.parse().unwrap())
    }

    #[test]
    fn an_unknown_method_is_other_and_keeps_its_name_aside() {
        let call = HttpCall { url_template: "/a", resend_count: 0 };
        let request = request("BREW", "http://bank.example/a");
        assert_eq!(name(&request, call), "HTTP /a");
        let attributes = attributes(&request, call);
        assert!(attributes.contains(&KeyValue::new("http.request.method", "_OTHER")));
        assert!(attributes.contains(&KeyValue::new("http.request.method_original", "BREW")));
    }

    #[test]
    fn numbers_are_numbers_and_the_port_is_the_schemes_own_by_default() {
        let call = HttpCall { url_template: "", resend_count: 2 };
        let request = request("GET", "https://[::1]/a/secret");
        assert_eq!(name(&request, call), "GET");
        let attributes = attributes(&request, call);
        assert!(attributes.contains(&KeyValue::new("server.address", "::1")));
        assert!(attributes.contains(&KeyValue::new("server.port", 443_i64)));
        assert!(attributes.contains(&KeyValue::new("http.request.resend_count", 2_i64)));
        assert!(!attributes.iter().any(|attribute| attribute.key.as_str() == "url.template"));
    }
}
