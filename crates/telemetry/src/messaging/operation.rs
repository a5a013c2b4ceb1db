use std::any::{Any, type_name};
use std::borrow::Cow;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, Status as SpanStatus, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use tonic::Status;

use super::context::MessageContext;
use super::destination::{Destination, Operation};
use super::metrics::{MessageMeter, Series};
use crate::attributes::shortened;
use crate::bridge::EXCEPTION_TARGET;
use crate::clock::Started;
use crate::deadline::Deadline;
use crate::error_chain::error_chain;
use crate::exception::{self, Told};
use crate::handle::Telemetry;
use crate::rpc::code_name;
use crate::scope::{Owner, Place};
use crate::semconv;

/// What is done with a message, or with a batch of them, as a span: ended by [`run`](Self::run), by
/// [`succeed`](Self::succeed) or [`fail`](Self::fail), and at the latest when it is dropped.
///
/// One that is dropped unfinished has failed: its `error.type` is `timeout` if the deadline of the call being served has
/// passed, `panic` during one, and `cancelled` otherwise.
#[derive(Debug)]
#[must_use = "dropped, the operation has failed"]
pub struct MessageOperation {
    maker: Maker,
    series: Arc<Series>,
    cx: Context,
    /// That of the call being served.
    deadline: Option<Deadline>,
    /// Shared by all work of the operation.
    told: Told,
    started: Started,
    /// How many messages count as sent or consumed with its end.
    messages: u64,
    open: bool,
}

/// What a producer or a consumer makes its operations from.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub(super) telemetry: Telemetry,
    pub(super) meter: Option<MessageMeter>,
    pub(super) destination: Destination,
    /// The keys of the baggage that goes along.
    pub(super) baggage: Vec<&'static str>,
}

/// What tells one operation from the others of its producer or consumer.
pub(super) struct Plan {
    pub(super) operation: Operation,
    pub(super) kind: SpanKind,
    pub(super) parent: Context,
    pub(super) links: Vec<SpanContext>,
    /// `None` for one that is about a single message.
    pub(super) batch: Option<usize>,
    /// How many messages count as sent or consumed with its end.
    pub(super) messages: u64,
}

// === impl Maker ===

impl Maker {
    pub(super) fn new(telemetry: Telemetry, destination: Destination) -> Self {
        let meter = telemetry.meter().map(MessageMeter::new);
        Self { telemetry, meter, destination, baggage: Vec::new() }
    }

    /// The current context, as this service's.
    pub(super) fn ambient(&self) -> Context {
        Context::current().with_value(Owner(self.telemetry.tracer().clone()))
    }

    pub(super) fn start(&self, plan: Plan) -> MessageOperation {
        let started = Started::now();
        let series = self.destination.series(plan.operation);
        let batch = plan.batch.map(|count| KeyValue::new(semconv::MESSAGING_BATCH_MESSAGE_COUNT, count as i64));
        let links = plan.links.into_iter().filter(SpanContext::is_valid).map(Link::with_context).collect();
        let cx = self.telemetry.start(&plan.parent, &series.span_name, None, || {
            SpanBuilder::from_name(series.span_name.clone())
                .with_kind(plan.kind)
                .with_attributes(series.attributes.iter().cloned().chain(batch))
                .with_links(links)
                .with_start_time(started.time())
        });
        MessageOperation {
            maker: self.clone(),
            series,
            cx,
            deadline: Deadline::current(),
            told: Told::default().shared(),
            started,
            messages: plan.messages,
            open: true,
        }
    }
}

// === impl MessageOperation ===

impl MessageOperation {
    /// Says which message it is about: `messaging.message.id`.
    pub fn message_id(self, id: &str) -> Self {
        self.cx.span().set_attribute(KeyValue::new(semconv::MESSAGING_MESSAGE_ID, shortened(id)));
        self
    }

    /// The context to carry along with the message that is created or sent, for whoever consumes it.
    pub fn message_context(&self) -> MessageContext {
        MessageContext::of(&self.cx, self.maker.telemetry.propagation(), &self.maker.baggage)
    }

    /// Does the work of the operation and ends it with what comes of that. Spans and calls of the work nest under its
    /// span.
    ///
    /// An error's `error.type` is the name of its type, or the code of a [`tonic::Status`]. That a message could not be
    /// processed, or that its processing panicked, is also told as a log record and as an event of the span; the error
    /// of any other operation is its caller's to tell.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn run<T, E>(mut self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: Error + 'static,
    {
        let value = self.attempt(work).await?;
        self.succeed();
        Ok(value)
    }

    /// Does the work of the operation and ends it if that fails.
    pub(super) async fn attempt<T, E>(&mut self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: Error + 'static,
    {
        let mut work = pin!(work);
        let mut place = self.place();
        let entered = &mut place;
        // A panic is caught only to be told, and goes on.
        let ran = poll_fn(move |task| match catch_unwind(AssertUnwindSafe(|| entered.poll(work.as_mut(), task))) {
            Ok(polled) => polled.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        });
        match ran.await {
            Ok(done) => done.inspect_err(|error| {
                let _entered = place.enter();
                if exception::is_news(error) {
                    self.tell(None, &error_chain(error));
                }
                self.finish(Some(error_type(error).into()));
            }),
            Err(payload) => {
                self.tell(Some("panic"), exception::panic_text(payload.as_ref()));
                self.finish(Some("panic".into()));
                resume_unwind(payload)
            }
        }
    }

    /// Polls `future` in the operation's context, for work that [`run`](Self::run) does not fit.
    pub fn in_context<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.place().hold(future)
    }

    /// Ends the operation: it is done.
    pub fn succeed(mut self) {
        self.finish(None);
    }

    /// Ends the operation as failed. There must be few values of `error_type`: it is part of a series.
    pub fn fail(mut self, error_type: impl Into<Cow<'static, str>>) {
        self.finish(Some(error_type.into()));
    }

    /// Takes note of what was received.
    pub(super) fn received(&mut self, messages: Vec<SpanContext>, is_counted: bool) {
        let span = self.cx.span();
        span.set_attribute(KeyValue::new(semconv::MESSAGING_BATCH_MESSAGE_COUNT, messages.len() as i64));
        self.messages = if is_counted { messages.len() as u64 } else { 0 };
        messages.into_iter().filter(SpanContext::is_valid).for_each(|message| span.add_link(message, Vec::new()));
    }

    fn place(&self) -> Place {
        Place::telling(self.cx.clone(), self.deadline, self.told.clone())
    }

    fn tell(&self, kind: Option<&'static str>, message: &str) {
        if self.series.operation != Operation::Process {
            return;
        }
        let _guard = self.cx.clone().attach();
        tracing::error!(
            name: "messaging.process.exception",
            target: EXCEPTION_TARGET,
            { "exception.type" = kind, "exception.message" = message },
            "message not processed: {message}"
        );
        exception::add_event(&self.cx, kind, message);
    }

    fn finish(&mut self, error_type: Option<Cow<'static, str>>) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let elapsed = self.started.elapsed();
        let error = error_type.map(|kind| KeyValue::new(semconv::ERROR_TYPE, kind));
        let span = self.cx.span();
        if let Some(error) = &error {
            span.set_attribute(error.clone());
            // No description: an error's text may hold what the message held.
            span.set_status(SpanStatus::error(""));
        }
        // Before the span ends: whoever waits for that finds the operation measured.
        if let Some(meter) = &self.maker.meter {
            meter.record(&self.series, elapsed, self.messages, error);
        }
        span.end_with_timestamp(self.started.after(elapsed));
    }
}

impl Drop for MessageOperation {
    fn drop(&mut self) {
        let is_late = || self.deadline.is_some_and(|deadline| deadline.has_passed());
        let error_type = match () {
            () if std::thread::panicking() => "panic",
            () if is_late() => "timeout",
            () => "cancelled",
        };
        self.finish(Some(error_type.into()));
    }
}

/// The error in one of few words.
fn error_type<E: Error + 'static>(error: &E) -> &'static str {
    let any: &dyn Any = error;
    any.downcast_ref::<Status>().map_or(type_name::<E>(), |status| code_name(status.code()))
}
