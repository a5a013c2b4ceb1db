//! One request under observation.

use std::any::Any;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Context, KeyValue, StringValue};

use super::metrics::InFlight;
use crate::bridge::EXCEPTION_TARGET;
use crate::capture::Captured;
use crate::clock::Started;
use crate::scope::{Entered, Place};
use crate::{exception, semconv};

/// A request from its first header to the last byte of its answer: finished exactly once, by its end, by an error, or
/// by being dropped.
#[derive(Debug)]
pub(super) struct Serving {
    place: Place,
    /// Whether the request has a span, recorded or not: then the context's is its own, and not its caller's.
    has_span: bool,
    is_head: bool,
    measured: Measured,
    ending: Ending,
    /// The headers of the answer to show.
    shown: Captured,
    open: bool,
}

/// What is measured of a request, whether or not it has a span.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) started: Started,
    /// `None` where there are no metrics, and after the end.
    pub(super) in_flight: Option<InFlight>,
}

/// How a request ends, for its span and its series alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Ending {
    /// `None` until there is an answer.
    status: Option<StatusCode>,
    error: Option<Failure>,
}

/// What went wrong beside the status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Failure {
    Panic,
    /// The answer's body failed.
    Body,
    /// The service failed in place of an answer.
    Service,
    /// Dropped before the end.
    Cancelled,
}

// === impl Serving ===

impl Serving {
    /// Observes a request whose span is the span of `cx`.
    pub(super) fn start(cx: Context, is_head: bool, measured: Measured) -> Self {
        let (ending, shown) = (Ending::default(), Captured::default());
        let place = Place::new(cx, None);
        Self { place, has_span: true, is_head, measured, ending, shown, open: true }
    }

    /// Observes a request that makes no span: `cx` is its caller's.
    pub(super) fn quiet(cx: Context, is_head: bool, measured: Measured) -> Self {
        let (ending, shown) = (Ending::default(), Captured::default());
        let place = Place::new(cx, None);
        Self { place, has_span: false, is_head, measured, ending, shown, open: true }
    }

    /// Shows what is listed of the answer's headers.
    pub(super) fn showing(mut self, shown: &Captured) -> Self {
        self.shown = shown.clone();
        self
    }

    pub(super) fn has_span(&self) -> bool {
        self.has_span
    }

    pub(super) fn context(&self) -> &Context {
        self.place.context()
    }

    /// Makes the request's context current until the guard is dropped.
    pub(super) fn enter(&self) -> Entered<'_> {
        self.place.enter()
    }

    /// Takes note of the answer's head; says whether the answer has a body to come, by the rules of RFC 9110, section
    /// 6.4.1. Where there is none the server drops the body unread.
    pub(super) fn answered(&mut self, status: StatusCode) -> bool {
        self.ending.status = Some(status);
        let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        !(self.is_head || is_empty || status.is_informational())
    }

    /// Takes note of the answer's headers.
    pub(super) fn saw_headers(&self, headers: &HeaderMap) {
        if !self.shown.is_empty() && self.context().span().is_recording() {
            self.context().span().set_attributes(self.shown.attributes(headers));
        }
    }

    /// Takes note of what went wrong first.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.ending.error.get_or_insert(failure);
    }

    /// Tells of a panic: as a log record and as an event of the span.
    pub(super) fn panicked(&mut self, payload: &(dyn Any + Send)) {
        self.fail(Failure::Panic);
        let message = exception::panic_text(payload);
        let _guard = self.enter();
        tracing::error!(
            name: "http.server.request.exception",
            target: EXCEPTION_TARGET,
            { "exception.type" = "panic", "exception.message" = message },
            "request failed: {message}"
        );
        exception::add_event(self.context(), Some("panic"), message);
    }

    /// Ends the request, for its metrics and its span alike; later ends are ignored.
    pub(super) fn finish(&mut self) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let elapsed = self.measured.started.elapsed();
        // Before the span: whoever waits for that finds the request measured.
        if let Some(in_flight) = self.measured.in_flight.take() {
            in_flight.end(elapsed, self.ending);
        }
        if self.has_span {
            self.end_span(elapsed);
        }
    }

    fn end_span(&self, elapsed: Duration) {
        let span = self.context().span();
        span.set_attributes(self.ending.attributes());
        if self.ending.is_error() {
            // No description: the attributes say it all.
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(self.measured.started.after(elapsed));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.open {
            self.fail(Failure::Cancelled);
            self.finish();
        }
    }
}

// === impl Ending ===

impl Ending {
    pub(super) fn attributes(self) -> impl Iterator<Item = KeyValue> {
        let status = self.status.map(|status| i64::from(status.as_u16()));
        let status = status.map(|status| KeyValue::new(semconv::HTTP_RESPONSE_STATUS_CODE, status));
        status.into_iter().chain(self.error_type().map(|kind| KeyValue::new(semconv::ERROR_TYPE, kind)))
    }

    fn error_type(self) -> Option<StringValue> {
        match self.error {
            Some(Failure::Panic) => Some("panic".into()),
            // An answer that is an error already stays that error, whatever becomes of its body.
            _ if self.is_server_error() => self.status.map(|status| status.as_str().to_owned().into()),
            Some(Failure::Body) => Some("body".into()),
            Some(Failure::Service) => Some(semconv::OTHER.into()),
            Some(Failure::Cancelled) => Some("cancelled".into()),
            None => None,
        }
    }

    fn is_error(self) -> bool {
        self.is_server_error() || matches!(self.error, Some(Failure::Panic | Failure::Body | Failure::Service))
    }

    fn is_server_error(self) -> bool {
        self.status.is_some_and(|status| status.is_server_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: Option<u16>, error: Option<Failure>, error_type: Option<&'static str>, is_error: bool) {
        let ending = Ending { status: status.map(|code| StatusCode::from_u16(code).unwrap()), error };
        assert_eq!(ending.error_type(), error_type.map(StringValue::from), "{ending:?}");
        assert_eq!(ending.is_error(), is_error, "{ending:?}");
    }

    #[test]
    fn only_what_the_server_did_not_do_is_an_error() {
        check(Some(200), None, None, false);
        check(Some(404), None, None, false);
        check(Some(500), None, Some("500"), true);
        check(Some(200), Some(Failure::Body), Some("body"), true);
        check(Some(503), Some(Failure::Body), Some("503"), true);
        check(Some(500), Some(Failure::Panic), Some("panic"), true);
        check(None, Some(Failure::Service), Some("_OTHER"), true);
        check(None, Some(Failure::Cancelled), Some("cancelled"), false);
        check(Some(200), Some(Failure::Cancelled), Some("cancelled"), false);
        check(Some(503), Some(Failure::Cancelled), Some("503"), true);
    }
}
