//! What a call lends to the work that is done for it: its OpenTelemetry `Context`, and beside that the deadline and the
//! errors that have been told of.
//!
//! The context says whose spans to make and below which; it goes wherever it is taken. The rest is of one call, changes
//! with it and is needed by few, so it is kept where the work runs and not in the context, where every call would have to
//! allocate it.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_util::FutureExt as _;
use opentelemetry::trace::{TraceContextExt, TraceId};
use opentelemetry::{Context, ContextGuard, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use pin_project_lite::pin_project;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::deadline::Deadline;
use crate::exception::{self, Told};

thread_local! {
    /// That of the call this thread works for right now; `None` outside any call.
    static CURRENT: Cell<Option<Scope>> = const { Cell::new(None) };
}

/// The tracer of the service that a context belongs to: a process may hold several.
#[derive(Debug)]
pub(crate) struct Owner(pub(crate) SdkTracer);

/// What is of one call and not of its context.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    deadline: Option<Deadline>,
    told: Told,
}

/// A context with the scope of its call, to work in.
pub(crate) struct Place {
    cx: Context,
    /// While the place is entered, that of whoever entered it.
    scope: Cell<Option<Scope>>,
}

/// Work is done in a place until this is dropped.
#[must_use = "dropped, the place is left"]
pub(crate) struct Entered<'p> {
    /// `None` where the scope is that of whoever entered.
    place: Option<&'p Place>,
    _context: ContextGuard,
}

pin_project! {
    /// A future that is polled in a place.
    pub(crate) struct Placed<F> {
        #[pin]
        future: F,
        place: Place,
    }
}

// === impl Place ===

impl Place {
    /// The place of a call of its own.
    pub(crate) fn new(cx: Context, deadline: Option<Deadline>) -> Self {
        Self::telling(cx, deadline, Told::default())
    }

    /// The place of work that shares with other work what it has told of.
    pub(crate) fn telling(cx: Context, deadline: Option<Deadline>, told: Told) -> Self {
        Self { cx, scope: Cell::new(Some(Scope { deadline, told })) }
    }

    /// The place of a call that is a part of the current one: what one has told of, the other has.
    pub(crate) fn within(cx: Context, deadline: Option<Deadline>) -> Self {
        Self::telling(cx, deadline, with_told(Told::shared).unwrap_or_default())
    }

    /// Where the thread works right now, for more work of the same call.
    pub(crate) fn current() -> Self {
        Self { cx: Context::current(), scope: Cell::new(with_scope(|scope| scope.map(Scope::shared))) }
    }

    /// The same with a deadline of its own.
    fn until(self, deadline: Deadline) -> Self {
        let scope = Scope { deadline: Some(deadline), ..self.scope.take().unwrap_or_default() };
        Self { scope: Cell::new(Some(scope)), ..self }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.cx
    }

    /// Makes the place the current one until the guard is dropped. It must not be entered twice at a time.
    pub(crate) fn enter(&self) -> Entered<'_> {
        CURRENT.with(|current| current.swap(&self.scope));
        Entered { place: Some(self), _context: self.cx.clone().attach() }
    }

    /// Makes the context the current one and leaves the scope as it is: for a call that is a part of the current one.
    pub(crate) fn enter_context(&self) -> Entered<'_> {
        Entered { place: None, _context: self.cx.clone().attach() }
    }

    /// Polls `future` once, here.
    pub(crate) fn poll<F: Future>(&self, future: Pin<&mut F>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let _entered = self.enter();
        future.poll(task)
    }

    /// Polls `future` here until it is done.
    pub(crate) fn hold<F: Future>(self, future: F) -> Placed<F> {
        Placed { future, place: self }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.cx).finish()
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            CURRENT.with(|current| current.swap(&place.scope));
        }
    }
}

impl<F: Future> Future for Placed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.place.poll(this.future, task)
    }
}

// === impl Scope ===

impl Scope {
    /// The same for other work of the call: what one has told of, the other has.
    fn shared(&mut self) -> Self {
        Self { deadline: self.deadline, told: self.told.shared() }
    }
}

/// Works on the current call's scope, if there is one.
fn with_scope<T>(work: impl FnOnce(Option<&mut Scope>) -> T) -> T {
    CURRENT.with(|current| {
        let mut scope = current.take();
        let done = work(scope.as_mut());
        current.set(scope);
        done
    })
}

/// Whether the span of `cx` is one of this process that is neither sampled nor recorded: then nothing below it is. One of
/// another process only advises.
pub(crate) fn is_unrecorded(cx: &Context) -> bool {
    let span = cx.span();
    let context = span.span_context();
    context.is_valid() && !context.is_remote() && !context.is_sampled() && !span.is_recording()
}

/// The deadline of the current call.
pub(crate) fn deadline() -> Option<Deadline> {
    with_scope(|scope| scope.and_then(|scope| scope.deadline))
}

/// Works on the errors that the current call has told of; `None` outside any call.
pub(crate) fn with_told<T>(work: impl FnOnce(&mut Told) -> T) -> Option<T> {
    with_scope(|scope| scope.map(|scope| work(&mut scope.told)))
}

/// The value of an attribute: text, a whole number, a number or a truth value.
pub type AttributeValue = opentelemetry::Value;

/// Whether the current span is recorded: worth asking before work is done for its attributes only.
pub fn is_recorded() -> bool {
    Context::map_current(|cx| cx.span().is_recording())
}

/// Sets an attribute on the current span: the innermost `#[tracing::instrument]` span, or the RPC's.
///
/// Does nothing where there is no recorded span. Never pass a secret: spans leave the process.
pub fn set_attribute(key: &'static str, value: impl Into<AttributeValue>) {
    if is_recorded() {
        // The conversion is the caller's code and may enter a span, which a borrowed context does not allow.
        let value = value.into();
        Context::map_current(|cx| cx.span().set_attribute(KeyValue::new(key, value)));
    }
}

/// Sets several attributes on the current span, as [`set_attribute`] does one.
pub fn set_attributes(attributes: impl IntoIterator<Item = (&'static str, AttributeValue)>) {
    if is_recorded() {
        // As there.
        let attributes: Vec<_> = attributes.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        Context::map_current(|cx| cx.span().set_attributes(attributes));
    }
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
    spawn_in(Place::current(), future)
}

/// Spawns a task that outlives the current call: its spans nest under the current span, but the caller's deadline is
/// replaced by one of its own, `limit` from now. An `#[instrument]` span that is current stays open until the task ends,
/// and shows how long the work took that nobody waited for. A panic is told as [`spawn`]'s.
pub fn spawn_detached<F>(limit: std::time::Duration, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_in(Place::current().until(Deadline::after(limit)), future)
}

/// The place is entered inside the tracing span: entering that attaches the context it was made in.
fn spawn_in<F>(place: Place, future: F) -> JoinHandle<F::Output>
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
    tokio::spawn(place.hold(telling).in_current_span())
}
