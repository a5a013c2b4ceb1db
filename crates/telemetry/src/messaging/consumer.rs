use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt};

use super::context::MessageContext;
use super::destination::{Destination, Operation};
use super::operation::{Maker, MessageOperation, Plan};
use crate::handle::Telemetry;
use crate::propagation::joined;

/// Makes CONSUMER spans for the messages that come from one destination; made by [`Telemetry::consumer`], cheap to clone.
///
/// ```
/// use telemetry::{Consumer, MessageContext};
/// # type Error = std::io::Error;
/// # async fn deliver(body: &str) -> Result<(), Error> { Ok(()) }
/// # async fn fetch() -> Result<Vec<(String, MessageContext)>, Error> { Ok(Vec::new()) }
///
/// async fn work(events: &Consumer) -> Result<(), Error> {
///     let contexts = |batch: &Vec<(String, MessageContext)>| batch.iter().map(|(_, context)| context.clone()).collect();
///     for (body, context) in events.receive(fetch(), contexts).await? {
///         events.process(&context).run(deliver(&body)).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// A message may be consumed long after it was made, several times, or among others, so its processing is no child of its
/// producer: the span is the ambient one's child, or the root of a new trace, with a link to the context that the
/// message was created in. [`continue_trace`](Self::continue_trace) makes it a child after all.
///
/// A span is named `process order.events` and carries `messaging.system`, `messaging.operation.name`,
/// `messaging.operation.type`, `messaging.destination.name`, `messaging.consumer.group.name`, `server.address` and
/// `server.port` of a broker, `messaging.message.id`, of a batch `messaging.batch.message_count`, and on failure
/// `error.type` and status Error (semantic conventions 1.45, `docs/messaging/messaging-spans.md`, in development).
/// Processing is measured by `messaging.process.duration`, receiving and settling by
/// `messaging.client.operation.duration`, and each message counts once in `messaging.client.consumed.messages`
/// (`docs/messaging/messaging-metrics.md`).
#[derive(Clone, Debug)]
pub struct Consumer {
    maker: Maker,
    continues: bool,
    pulls: bool,
}

// === impl Consumer ===

impl Consumer {
    pub(crate) fn new(telemetry: Telemetry, system: impl Into<Arc<str>>, destination: impl Into<Arc<str>>) -> Self {
        Self { maker: Maker::new(telemetry, Destination::new(system, destination)), continues: false, pulls: false }
    }

    /// The group of consumers that this one shares its messages with.
    pub fn group(mut self, name: impl Into<Arc<str>>) -> Self {
        self.maker.destination.set_group(name.into());
        self
    }

    /// The broker that messages come from, where there is one.
    pub fn server(mut self, address: impl Into<Arc<str>>, port: u16) -> Self {
        self.maker.destination.set_server(address.into(), port);
        self
    }

    /// The keys of the baggage that is taken over from messages; none unless said. Any producer may have written it.
    pub fn baggage(mut self, keys: impl IntoIterator<Item = &'static str>) -> Self {
        self.maker.baggage = keys.into_iter().collect();
        self
    }

    /// Processes a single message as a part of its producer's trace, with a link to the ambient span. For producers
    /// that are believed: they choose the trace and whether it is recorded.
    pub fn continue_trace(self) -> Self {
        Self { continues: true, ..self }
    }

    /// Says that messages are fetched by [`receive`](Self::receive), so that they count as consumed there; otherwise
    /// they do when they are processed.
    pub fn pulling(self) -> Self {
        Self { pulls: true, ..self }
    }

    /// Fetches messages: a CLIENT span, linked to the contexts that `contexts` finds in what came.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn receive<T, E>(
        &self,
        fetch: impl Future<Output = Result<T, E>>,
        contexts: impl FnOnce(&T) -> Vec<MessageContext>,
    ) -> Result<T, E>
    where
        E: Error + 'static,
    {
        let mut receiving = self.start(Operation::Receive, SpanKind::Client, Vec::new(), None);
        let fetched = receiving.attempt(fetch).await?;
        let origins = contexts(&fetched).iter().map(|message| self.origin(message)).collect();
        receiving.received(origins, self.pulls);
        receiving.succeed();
        Ok(fetched)
    }

    /// Processes one message.
    pub fn process(&self, message: &MessageContext) -> MessageOperation {
        let ambient = self.maker.ambient();
        let told = message.read(&Context::new(), self.maker.telemetry.propagation());
        let origin = told.span().span_context().clone();
        let mut links = vec![origin.clone()];
        let mut parent = ambient.clone();
        if self.continues && origin.is_valid() {
            links.push(ambient.span().span_context().clone());
            parent = message.read(&ambient, self.maker.telemetry.propagation());
        }
        let is_allowed = |key: &str| self.maker.baggage.contains(&key);
        let parent = parent.with_baggage(joined(ambient.baggage(), told.baggage(), is_allowed));
        self.maker.start(Plan {
            operation: Operation::Process,
            kind: SpanKind::Consumer,
            parent,
            links,
            batch: None,
            messages: u64::from(!self.pulls),
        })
    }

    /// Processes messages as one: a single span, linked to the context of each.
    pub fn process_all<'m>(&self, messages: impl IntoIterator<Item = &'m MessageContext>) -> MessageOperation {
        self.of_all(Operation::Process, SpanKind::Consumer, messages)
    }

    /// Settles messages with whoever they came from: acknowledges, rejects or deletes them.
    pub fn settle<'m>(&self, messages: impl IntoIterator<Item = &'m MessageContext>) -> MessageOperation {
        self.of_all(Operation::Settle, SpanKind::Client, messages)
    }

    fn of_all<'m>(
        &self,
        operation: Operation,
        kind: SpanKind,
        messages: impl IntoIterator<Item = &'m MessageContext>,
    ) -> MessageOperation {
        let links: Vec<_> = messages.into_iter().map(|message| self.origin(message)).collect();
        let count = links.len();
        self.start(operation, kind, links, Some(count))
    }

    fn start(
        &self,
        operation: Operation,
        kind: SpanKind,
        links: Vec<SpanContext>,
        batch: Option<usize>,
    ) -> MessageOperation {
        let is_counted = operation == Operation::Process && !self.pulls;
        let messages = if is_counted { links.len() as u64 } else { 0 };
        self.maker.start(Plan { operation, kind, parent: self.maker.ambient(), links, batch, messages })
    }

    /// The span that a message was made in.
    fn origin(&self, message: &MessageContext) -> SpanContext {
        message.origin(self.maker.telemetry.propagation())
    }
}
