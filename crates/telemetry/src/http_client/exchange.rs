//! One request and its answer as a span and a duration.

use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, ContextGuard, KeyValue, StringValue};
use reqwest::{Request, Response, StatusCode, Version};

use super::asked::Asked;
use super::metrics::{Ending, InFlight};
use super::{HttpCall, HttpClient};
use crate::capture::Captured;
use crate::clock::Started;
use crate::deadline::Deadline;
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
        let asked = Asked::of(client.telemetry.http_methods(), request, call);
        let in_flight = client.meter.as_ref().map(|meter| meter.count(&asked));
        let name = asked.name();
        let cx = client.telemetry.start(&Context::current(), &name, None, || {
            let mut attributes = asked.of_span(request, call);
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
