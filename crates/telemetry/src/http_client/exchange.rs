//! One request and its answer as a span and a duration.

use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, ContextGuard, KeyValue, StringValue};
use reqwest::{Request, Response, StatusCode, Version};

use super::metrics::{Ending, InFlight};
use super::{HttpCall, HttpClient, url};
use crate::attributes::{bounded, shortened};
use crate::capture::Captured;
use crate::clock::Started;
use crate::deadline::Deadline;
use crate::http_method::KnownMethods;
use crate::{repeated, semconv};

/// A request under way, up to the last byte of its answer: finished exactly once, at the latest when it is dropped.
#[derive(Debug)]
pub(super) struct Exchange {
    cx: Context,
    deadline: Option<Deadline>,
    started: Started,
    /// `None` where there are no metrics, and after the end.
    in_flight: Option<InFlight>,
    ending: Ending,
    /// The headers of the answer to show.
    captured: Captured,
    has_failed: bool,
    open: bool,
}

// === impl Exchange ===

impl Exchange {
    /// Starts the span as a child of the current one.
    pub(super) fn start(client: &HttpClient, request: &Request, call: HttpCall) -> Self {
        let started = Started::now();
        let methods = client.telemetry.http_methods();
        let in_flight = client.meter.as_ref().map(|meter| meter.count(asked(methods, request), call.url_template));
        let name = name(methods, request, call);
        let cx = client.telemetry.start(&Context::current(), &name, None, || {
            let mut attributes = attributes(methods, request, call);
            attributes.extend(client.request_headers.attributes(request.headers()));
            SpanBuilder::from_name(name.clone())
                .with_kind(SpanKind::Client)
                .with_attributes(attributes)
                .with_start_time(started.time())
        });
        Self {
            cx,
            deadline: Deadline::current(),
            started,
            in_flight,
            ending: Ending::default(),
            captured: client.response_headers.clone(),
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
        let status = response.status();
        self.ending.status = Some(status);
        self.ending.version = version(response.version());
        self.show(response);
        if is_error(status) {
            self.fail(status.as_str().to_owned().into());
        }
    }

    fn show(&self, response: &Response) {
        let span = self.cx.span();
        if !span.is_recording() {
            return;
        }
        let status = response.status();
        span.set_attribute(KeyValue::new(semconv::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
        if let Some(version) = self.ending.version {
            span.set_attribute(KeyValue::new(semconv::NETWORK_PROTOCOL_VERSION, version));
        }
        if let Some(peer) = response.remote_addr() {
            span.set_attribute(KeyValue::new(semconv::NETWORK_PEER_ADDRESS, repeated::address(peer.ip())));
            span.set_attribute(KeyValue::new(semconv::NETWORK_PEER_PORT, i64::from(peer.port())));
        }
        span.set_attributes(self.captured.attributes(response.headers()));
    }

    /// Ends the request, for its metrics and its span alike: the answer is complete, or there is an error in its place.
    /// Later ends are ignored.
    pub(super) fn finish(&mut self, error: Option<&reqwest::Error>) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        if let Some(error) = error {
            self.fail(kind(error).into());
        }
        let elapsed = self.started.elapsed();
        // Before the span: whoever waits for that finds the request measured.
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.end(elapsed, &self.ending);
        }
        self.cx.span().end_with_timestamp(self.started.after(elapsed));
    }

    /// An answer that is an error already stays that error, even if its body fails too.
    fn fail(&mut self, error_type: StringValue) {
        if std::mem::replace(&mut self.has_failed, true) {
            return;
        }
        self.name_error(error_type);
        // No description: the attribute says it all, and reqwest's messages hold the URL.
        self.cx.span().set_status(Status::error(""));
    }

    fn name_error(&mut self, error_type: StringValue) {
        self.cx.span().set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type.clone()));
        self.ending.error_type = Some(error_type);
    }

    fn give_up(&mut self) {
        if !self.open {
            return;
        }
        if self.deadline.is_some_and(|deadline| deadline.has_passed()) {
            self.fail("timeout".into());
        } else if self.ending.status.is_none() {
            self.name_error("cancelled".into());
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
fn name(methods: &KnownMethods, request: &Request, call: HttpCall) -> String {
    format!("{} {}", methods.name(request.method().as_str()), call.url_template).trim_end().to_owned()
}

/// What series tell requests apart by before there is an answer.
fn asked(methods: &KnownMethods, request: &Request) -> Vec<KeyValue> {
    let address = request.url().host_str().unwrap_or_default().trim_matches(['[', ']']);
    let method = methods.attribute(request.method().as_str());
    let port = request.url().port_or_known_default();
    [
        KeyValue::new(semconv::HTTP_REQUEST_METHOD, method),
        KeyValue::new(semconv::SERVER_ADDRESS, repeated::name(address)),
    ]
    .into_iter()
    .chain(port.map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port))))
    .collect()
}

/// What is known before the request is sent.
fn attributes(methods: &KnownMethods, request: &Request, call: HttpCall) -> Vec<KeyValue> {
    let (mut attributes, method) = (asked(methods, request), request.method().as_str());
    attributes.push(KeyValue::new(semconv::URL_FULL, bounded(&url::redacted(request.url()))));
    if methods.attribute(method).as_str() != method {
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD_ORIGINAL, shortened(method)));
    }
    if !call.url_template.is_empty() {
        attributes.push(KeyValue::new(semconv::URL_TEMPLATE, call.url_template));
    }
    if call.resend_count > 0 {
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_RESEND_COUNT, i64::from(call.resend_count)));
    }
    attributes
}

/// To a client an answer of 4xx is an error as well.
fn is_error(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// The version as the conventions write it.
pub(crate) fn version(version: Version) -> Option<&'static str> {
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
        let methods = KnownMethods::default();
        assert_eq!(name(&methods, &request, call), "HTTP /a");
        let attributes = attributes(&methods, &request, call);
        assert!(attributes.contains(&KeyValue::new("http.request.method", "_OTHER")));
        assert!(attributes.contains(&KeyValue::new("http.request.method_original", "BREW")));
    }

    #[test]
    fn numbers_are_numbers_and_the_port_is_the_schemes_own_by_default() {
        let call = HttpCall { url_template: "", resend_count: 2 };
        let request = request("GET", "https://[::1]/a/secret");
        let methods = KnownMethods::default();
        assert_eq!(name(&methods, &request, call), "GET");
        let attributes = attributes(&methods, &request, call);
        assert!(attributes.contains(&KeyValue::new("server.address", "::1")));
        assert!(attributes.contains(&KeyValue::new("server.port", 443_i64)));
        assert!(attributes.contains(&KeyValue::new("http.request.resend_count", 2_i64)));
        assert!(!attributes.iter().any(|attribute| attribute.key.as_str() == "url.template"));
    }
}
