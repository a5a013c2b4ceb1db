//! Messages as spans, whatever carries them: a broker, or a table that serves as an outbox.

mod context;
mod destination;
mod operation;
mod metrics;
mod producer;
mod consumer;

pub use consumer::Consumer;
pub use context::MessageContext;
pub use operation::MessageOperation;
pub use producer::Producer;
