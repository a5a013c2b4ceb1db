use std::any::Any;
use std::error::Error as _;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::trace::{Status as SpanStatus, TraceContextExt};
use opentelemetry::{Context, ContextGuard, KeyValue};
use tonic::{Code, Status};

use crate::attributes::shortened;
use crate::bridge::EXCEPTION_TARGET;
use crate::capture::Captured;
use crate::clock::Started;
use crate::deadline::Deadline;
use crate::error_chain::error_chain;
use crate::exception::{self, panic_text};
use crate::rpc::metrics::InFlight;
use crate::rpc::outcome::{Outcome, Side, code_name};
use crate::semconv;

/// A caller's clock starts before ours, by the time that its request travels: it may give up this long before the
/// deadline passes here.
const HEAD_START: Duration = Duration::from_millis(20);

/// One call under observation, from its first byte to its last: finished exactly once, by its answer, by an error, or
/// by being dropped.
#[derive(Debug)]
pub(crate) struct Call {
    side: Side,
    cx: Context,
    /// Whether the span of `cx` is this call's, and not its caller's.
    has_span: bool,
    deadline: Option<Deadline>,
    measured: Measured,
    shown: Answered,
    open: bool,
}

/// The metadata of an answer to show: of its head and of its trailers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered {
    pub(crate) headers: Captured,
    pub(crate) trailers: Captured,
}

/// What is measured of a call, whether or not it has a span.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) started: Started,
    /// `None` where there are no metrics, and after the end.
    pub(crate) in_flight: Option<InFlight>,
}

// === impl Call ===

impl Call {
    /// Observes a call whose span is the span of `cx`.
    pub(crate) fn start(side: Side, cx: Context, deadline: Option<Deadline>, measured: Measured) -> Self {
        Self { side, cx, has_span: true, deadline, measured, shown: Answered::default(), open: true }
    }

    /// Observes a call that makes no span: `cx` is its caller's.
    pub(crate) fn quiet(side: Side, cx: Context, deadline: Option<Deadline>, measured: Measured) -> Self {
        Self { side, cx, has_span: false, deadline, measured, shown: Answered::default(), open: true }
    }

    /// Shows what is listed of the answer's metadata.
    pub(crate) fn showing(mut self, shown: &Answered) -> Self {
        self.shown = shown.clone();
        self
    }

    pub(crate) fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn context(&self) -> &Context {
        &self.cx
    }

    /// Makes the call's context current until the guard is dropped.
    pub(crate) fn enter(&self) -> ContextGuard {
        self.cx.clone().attach()
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Takes note of the metadata in an answer's head.
    pub(crate) fn saw_headers(&self, headers: &HeaderMap) {
        self.show(&self.shown.headers, headers);
    }

    /// Takes note of the metadata in an answer's trailers.
    pub(crate) fn saw_trailers(&self, trailers: &HeaderMap) {
        self.show(&self.shown.trailers, trailers);
    }

    fn show(&self, captured: &Captured, headers: &HeaderMap) {
        if self.has_span && !captured.is_empty() && self.cx.span().is_recording() {
            self.cx.span().set_attributes(captured.attributes(headers));
        }
    }

    /// Ends the call, for its metrics and its span alike; later ends are ignored.
    pub(crate) fn finish(&mut self, outcome: &Outcome) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let elapsed = self.measured.started.elapsed();
        // Before the span: whoever waits for that finds the call measured.
        if let Some(in_flight) = self.measured.in_flight.take() {
            in_flight.end(elapsed, outcome);
        }
        if self.has_span {
            self.end_span(elapsed, outcome);
        }
    }

    fn end_span(&self, elapsed: Duration, outcome: &Outcome) {
        let span = self.cx.span();
        span.set_attribute(KeyValue::new(semconv::RPC_STATUS_CODE, code_name(outcome.code)));
        if let Some(error_type) = outcome.failure(self.side) {
            span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type));
            span.set_status(SpanStatus::Error { description: shortened(&outcome.message) });
        }
        span.end_with_timestamp(self.measured.started.after(elapsed));
    }

    /// Tells of the error behind an answer, unless its handler has: as a log record and as an event of the span.
    pub(crate) fn record_cause(&self, status: &Status) {
        let Some(cause) = status.source() else { return };
        let is_failure = self.side == Side::Server && Outcome::of_status(status).failure(Side::Server).is_some();
        if is_failure && exception::is_news(&self.cx, cause) {
            let _guard = self.enter();
            self.record_exception(None, &error_chain(cause));
        }
    }

    /// Tells of a panic; it must not unwind through the server.
    pub(crate) fn record_panic(&self, payload: &(dyn Any + Send)) {
        let _guard = self.enter();
        self.record_exception(Some("panic"), panic_text(payload));
    }

    fn record_exception(&self, kind: Option<&'static str>, message: &str) {
        // The target keeps the event bridge from adding a second event for the log record.
        tracing::error!(
            name: "rpc.server.call.exception",
            target: EXCEPTION_TARGET,
            { "exception.type" = kind, "exception.message" = message },
            "call failed: {message}"
        );
        exception::add_event(&self.cx, kind, message);
    }

    /// What a call that nobody waits for any more ended with.
    fn abandoned(&self) -> Code {
        let head_start = if self.side == Side::Server { HEAD_START } else { Duration::ZERO };
        match self.deadline {
            Some(deadline) if deadline.remaining() <= head_start => Code::DeadlineExceeded,
            _ => Code::Cancelled,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(&Outcome::of_code(self.abandoned()));
    }
}

/// The status that stands for a handler's panic.
pub(crate) fn panic_status(cx: &Context) -> Status {
    let trace_id = cx.span().span_context().trace_id();
    Status::internal(format!("internal error, trace {trace_id}"))
}

pub(crate) fn deadline_status() -> Status {
    Status::deadline_exceeded("deadline exceeded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_server_takes_a_drop_just_before_the_deadline_for_the_callers_clock() {
        let abandoned = |side, left| {
            let deadline = Some(Deadline::after(Duration::from_millis(left)));
            let measured = Measured { started: Started::now(), in_flight: None };
            Call::quiet(side, Context::new(), deadline, measured).abandoned()
        };
        assert_eq!(abandoned(Side::Server, 10), Code::DeadlineExceeded);
        assert_eq!(abandoned(Side::Server, 1000), Code::Cancelled);
        assert_eq!(abandoned(Side::Client, 10), Code::Cancelled);
        assert_eq!(abandoned(Side::Client, 0), Code::DeadlineExceeded);
    }
}
