use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanKind};

use super::context::MessageContext;
use super::destination::{Destination, Operation};
use super::operation::{Maker, MessageOperation, Plan};
use crate::handle::Telemetry;

/// Makes PRODUCER spans for the messages that go to one destination; made by [`Telemetry::producer`], cheap to clone.
///
/// ```
/// use telemetry::{MessageContext, Producer};
/// # type Error = std::io::Error;
/// # async fn publish(body: &str, context: MessageContext) -> Result<(), Error> { Ok(()) }
/// # async fn insert(id: &str, body: &str, context: MessageContext) -> Result<(), Error> { Ok(()) }
///
/// // Straight to a broker: the message carries the context of its sending.
/// async fn send(orders: &Producer, body: &str) -> Result<(), Error> {
///     let sending = orders.send();
///     let context = sending.message_context();
///     sending.run(publish(body, context)).await
/// }
///
/// // By an outbox: a row is written now, with the context in columns of its own, and sent later.
/// async fn write(orders: &Producer, id: &str, body: &str) -> Result<(), Error> {
///     let creating = orders.create().message_id(id);
///     let context = creating.message_context();
///     creating.run(insert(id, body, context)).await
/// }
///
/// async fn relay(orders: &Producer, row: (String, MessageContext)) -> Result<(), Error> {
///     let (body, context) = row;
///     orders.send_created([&context]).run(publish(&body, context.clone())).await
/// }
/// ```
///
/// A span is named `send order.events` and carries `messaging.system`, `messaging.operation.name`,
/// `messaging.operation.type`, `messaging.destination.name`, `server.address` and `server.port` of a broker,
/// `messaging.message.id`, of a batch `messaging.batch.message_count`, and on failure `error.type` and status Error
/// (semantic conventions 1.45, `docs/messaging/messaging-spans.md`, in development). What is sent counts in
/// `messaging.client.sent.messages`, and all that is done in `messaging.client.operation.duration`
/// (`docs/messaging/messaging-metrics.md`).
#[derive(Clone, Debug)]
pub struct Producer {
    maker: Maker,
}

// === impl Producer ===

impl Producer {
    pub(crate) fn new(telemetry: Telemetry, system: impl Into<Arc<str>>, destination: impl Into<Arc<str>>) -> Self {
        Self { maker: Maker::new(telemetry, Destination::new(system, destination)) }
    }

    /// The broker that messages are sent to, where there is one.
    pub fn server(mut self, address: impl Into<Arc<str>>, port: u16) -> Self {
        self.maker.destination.set_server(address.into(), port);
        self
    }

    /// The keys of the baggage that messages carry; none unless said. Whoever can read a message reads it.
    pub fn baggage(mut self, keys: impl IntoIterator<Item = &'static str>) -> Self {
        self.maker.baggage = keys.into_iter().collect();
        self
    }

    /// Sends one message, which carries this operation's context.
    pub fn send(&self) -> MessageOperation {
        self.start(Operation::Send, SpanKind::Producer, Vec::new(), None)
    }

    /// Makes one message that is sent later, or among others: it carries this operation's context.
    pub fn create(&self) -> MessageOperation {
        self.start(Operation::Create, SpanKind::Producer, Vec::new(), None)
    }

    /// Sends messages that carry the contexts they were created in. Its span is a CLIENT's and linked to theirs: what
    /// consumes them is linked to their creation and not to it.
    pub fn send_created<'m>(&self, messages: impl IntoIterator<Item = &'m MessageContext>) -> MessageOperation {
        let propagation = self.maker.telemetry.propagation();
        let links: Vec<_> = messages.into_iter().map(|message| message.origin(propagation)).collect();
        let count = links.len();
        self.start(Operation::Send, SpanKind::Client, links, Some(count))
    }

    fn start(
        &self,
        operation: Operation,
        kind: SpanKind,
        links: Vec<SpanContext>,
        batch: Option<usize>,
    ) -> MessageOperation {
        let messages = if operation == Operation::Send { batch.unwrap_or(1) as u64 } else { 0 };
        self.maker.start(Plan { operation, kind, parent: self.maker.ambient(), links, batch, messages })
    }
}
