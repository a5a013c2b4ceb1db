use std::any::Any;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::trace::{Status as SpanStatus, TraceContextExt};
use opentelemetry::{Context, KeyValue};
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
use crate::scope::{Entered, Place};
use crate::semconv;

/// How many attributes the span of a call has room for from the start: its own, and a few that the handler sets.
pub(crate) const USUAL_ATTRIBUTES: usize = 12;

/// A caller's clock starts before ours, by the time that its request travels: it may give up this long before the
/// deadline passes here.
const HEAD_START: Duration = Duration::from_millis(20);

/// One call under observation, from its first byte to its last: finished exactly once, by its answer, by an error, or
/// by being dropped.
#[derive(Debug)]
pub(crate) struct Call {
    side: Side,
    place: Place,
    /// Whether the context's span is this call's and is recorded.
    has_span: bool,
    deadline: Option<Deadline>,
    measured: Measured,
    /// `None` where nothing is shown.
    shown: Option<Arc<Answered>>,
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

// === impl Answered ===

impl Answered {
    /// Shows the metadata `keys` as well, by the names that the conventions have for it.
    ///
    /// # Panics
    /// If one of the keys is none that metadata can have.
    pub(crate) fn and(this: Option<Arc<Self>>, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Option<Arc<Self>> {
        let keys: Vec<_> = keys.into_iter().collect();
        let shown = this.as_deref().cloned().unwrap_or_default();
        let headers = shown.headers.and(semconv::RPC_RESPONSE_HEADER, &keys);
        let trailers = shown.trailers.and(semconv::RPC_RESPONSE_TRAILER, &keys);
        (!headers.is_empty()).then(|| Arc::new(Self { headers, trailers }))
    }
}

// === impl Call ===

impl Call {
    /// Observes a call whose span is the span of `cx`, if it is recorded.
    pub(crate) fn start(side: Side, cx: Context, deadline: Option<Deadline>, measured: Measured) -> Self {
        let mut call = Self::quiet(side, cx, deadline, measured);
        call.has_span = call.context().span().is_recording();
        call
    }

    /// Observes a call that makes no span: `cx` is its caller's.
    pub(crate) fn quiet(side: Side, cx: Context, deadline: Option<Deadline>, measured: Measured) -> Self {
        let place = Place::new(cx, deadline);
        Self { side, place, has_span: false, deadline, measured, shown: None, open: true }
    }

    /// Shows what is listed of the answer's metadata.
    pub(crate) fn showing(mut self, shown: &Option<Arc<Answered>>) -> Self {
        self.shown.clone_from(shown);
        self
    }

    pub(crate) fn side(&self) -> Side {
        self.side
    }

    pub(crate) fn context(&self) -> &Context {
        self.place.context()
    }

    /// Makes the call the current one until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        match self.side {
            Side::Server => self.place.enter(),
            Side::Client => self.place.enter_context(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline.has_passed())
    }

    /// Takes note of the metadata in an answer's head.
    pub(crate) fn saw_headers(&self, headers: &HeaderMap) {
        self.show(|shown| &shown.headers, headers);
    }

    /// Takes note of the metadata in an answer's trailers.
    pub(crate) fn saw_trailers(&self, trailers: &HeaderMap) {
        self.show(|shown| &shown.trailers, trailers);
    }

    fn show(&self, captured: impl Fn(&Answered) -> &Captured, headers: &HeaderMap) {
        if let Some(shown) = &self.shown
            && self.has_span
        {
            self.context().span().set_attributes(captured(shown).attributes(headers));
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
        let span = self.context().span();
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
        let _guard = self.enter();
        if is_failure && exception::is_news(cause) {
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
        exception::add_event(self.context(), kind, message);
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
