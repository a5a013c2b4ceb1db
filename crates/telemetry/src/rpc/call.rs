use std::any::Any;
use std::error::Error as _;
use std::time::Duration;

use opentelemetry::trace::{Status as SpanStatus, TraceContextExt};
use opentelemetry::{Context, ContextGuard, KeyValue};
use tonic::{Code, Status};

use crate::bridge::EXCEPTION_TARGET;
use crate::deadline::Deadline;
use crate::error_chain::error_chain;
use crate::rpc::outcome::{Outcome, Side, code_name, shortened};
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
    deadline: Option<Deadline>,
    open: bool,
}

// === impl Call ===

impl Call {
    /// Observes a call whose span is the span of `cx`.
    pub(crate) fn start(side: Side, cx: Context, deadline: Option<Deadline>) -> Self {
        Self { side, cx, deadline, open: true }
    }

    /// Watches over a call that makes no span: `cx` is its caller's.
    pub(crate) fn quiet(side: Side, cx: Context, deadline: Option<Deadline>) -> Self {
        Self { side, cx, deadline, open: false }
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

    /// Ends the call; later ends are ignored.
    pub(crate) fn finish(&mut self, outcome: &Outcome) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let span = self.cx.span();
        span.set_attribute(KeyValue::new(semconv::RPC_STATUS_CODE, code_name(outcome.code)));
        if let Some(error_type) = outcome.failure(self.side) {
            span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type));
            span.set_status(SpanStatus::Error { description: shortened(&outcome.message) });
        }
        span.end();
    }

    /// Tells of the error behind an answer, once: as a log record and as an event of the span.
    pub(crate) fn record_cause(&self, status: &Status) {
        let Some(cause) = status.source() else { return };
        if self.side == Side::Server && Outcome::of_status(status).failure(Side::Server).is_some() {
            let _guard = self.enter();
            self.record_exception(None, &error_chain(cause));
        }
    }

    /// Tells of a panic; it must not unwind through the server.
    pub(crate) fn record_panic(&self, payload: &(dyn Any + Send)) {
        let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        let _guard = self.enter();
        self.record_exception(Some("panic"), text.unwrap_or("of a value that is no text"));
    }

    fn record_exception(&self, kind: Option<&'static str>, message: &str) {
        // The target keeps the event bridge from adding a second event for the log record.
        tracing::error!(
            name: "rpc.server.call.exception",
            target: EXCEPTION_TARGET,
            { "exception.type" = kind, "exception.message" = message },
            "call failed: {message}"
        );
        let message = KeyValue::new(semconv::EXCEPTION_MESSAGE, shortened(message));
        let kind = kind.map(|kind| KeyValue::new(semconv::EXCEPTION_TYPE, kind));
        self.cx.span().add_event(semconv::EXCEPTION_EVENT, [message].into_iter().chain(kind).collect());
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
            Call::quiet(side, Context::new(), deadline).abandoned()
        };
        assert_eq!(abandoned(Side::Server, 10), Code::DeadlineExceeded);
        assert_eq!(abandoned(Side::Server, 1000), Code::Cancelled);
        assert_eq!(abandoned(Side::Client, 10), Code::Cancelled);
        assert_eq!(abandoned(Side::Client, 0), Code::DeadlineExceeded);
    }
}
