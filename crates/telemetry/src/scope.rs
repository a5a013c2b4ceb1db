//! What travels in the OpenTelemetry `Context` beside the span: whose spans to make, and until when to work.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use opentelemetry::context::FutureExt;
use opentelemetry::trace::{TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::deadline::Deadline;
use crate::exception::{self, Told};

/// The service a call is served by, the call's deadline, and the errors that have been told of.
#[derive(Debug)]
pub(crate) struct Scope {
    /// `None` outside any call.
    pub(crate) tracer: Option<SdkTracer>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) told: Told,
}

// === impl Scope ===

impl Scope {
    pub(crate) fn new(tracer: Option<SdkTracer>, deadline: Option<Deadline>) -> Self {
        Self { tracer, deadline, told: Told::default() }
    }
}

/// The value of an attribute: text, a whole number, a number or a truth value.
pub type AttributeValue = opentelemetry::Value;

/// Sets an attribute on the current span: the innermost `#[tracing::instrument]` span, or the RPC's.
///
/// Does nothing where there is no recorded span. Never pass a secret: spans leave the process.
pub fn set_attribute(key: &'static str, value: impl Into<AttributeValue>) {
    // The conversion is the caller's code and may enter a span, which a borrowed context does not allow.
    let value = value.into();
    Context::map_current(|cx| {
        if cx.span().is_recording() {
            cx.span().set_attribute(KeyValue::new(key, value));
        }
    });
}

/// The id of the current trace as 32 hexadecimal digits, if there is one.
pub fn trace_id() -> Option<String> {
    let id = Context::map_current(|cx| cx.span().span_context().trace_id());
    (id != TraceId::INVALID).then(|| id.to_string())
}

/// Spawns a task that belongs to the current call: its spans nest under the current span, its calls keep the deadline.
/// An `#[instrument]` span that is current stays open until the task ends, as with `in_current_span`. A panic of the task is
/// told as [`record_exception`](crate::record_exception) tells of an error, with `exception.type` `panic`.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_in(Context::current(), future)
}

/// Spawns a task that outlives the current call: its spans nest under the current span, but the caller's deadline is
/// replaced by one of its own, `limit` from now. An `#[instrument]` span that is current stays open until the task ends,
/// and shows how long the work took that nobody waited for. A panic is told as [`spawn`]'s.
pub fn spawn_detached<F>(limit: std::time::Duration, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let cx = Context::current();
    let deadline = Some(Deadline::after(limit));
    let scope = match cx.get::<Scope>() {
        Some(scope) => Scope { tracer: scope.tracer.clone(), deadline, told: scope.told.shared() },
        None => Scope::new(None, deadline),
    };
    let cx = cx.with_value(scope);
    spawn_in(cx, future)
}

/// The context is attached inside the tracing span: entering that span attaches the context it was made in, which
/// holds the deadline of then.
fn spawn_in<F>(cx: Context, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // A panic is caught only to be told, and goes on to whoever awaits the task.
    let telling = AssertUnwindSafe(future).catch_unwind().map(|ended| {
        ended.unwrap_or_else(|payload| {
            exception::record_panic(payload.as_ref());
            resume_unwind(payload)
        })
    });
    #[expect(clippy::disallowed_methods, reason = "this is the spawn that keeps the trace")]
    tokio::spawn(telling.with_context(cx).in_current_span())
}
