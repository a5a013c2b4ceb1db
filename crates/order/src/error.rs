//! What can go wrong, in this service's words, and the one place where it becomes a status.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::Invalid;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::order::{DeclineReason, EventId, OrderId};
use crate::wire::mark_replayed;

/// The domain of every `google.rpc.ErrorInfo` of the shop.
const DOMAIN: &str = "shop.throughline";

/// Why the service could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database cannot be opened or brought up to date.
    #[error("failed to open the orders")]
    Store(#[source] database::OpenError),
    /// The listeners failed.
    #[error("failed to serve")]
    Serve(#[source] server::Error),
}

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the request is malformed")]
    Invalid(#[from] Invalid),
    #[error("order {0} does not exist")]
    UnknownOrder(OrderId),
    #[error("event {0} is not parked")]
    UnknownEvent(EventId),
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the idempotency key is being worked on")]
    KeyInUse { retry_after: Duration },
    #[error("{reason}")]
    Declined { order: OrderId, reason: DeclineReason, replayed: bool },
    #[error("order {0} was declined: there is nothing to cancel")]
    NothingToCancel(OrderId),
    #[error("the payment cannot be completed now")]
    PaymentUnavailable { retry_after: Duration, source: Status },
    #[error("the payment service refused")]
    PaymentRefused(#[source] Status),
    #[error("the payment service answered with a payment in {0}")]
    PaymentState(&'static str),
    #[error("the store is busy")]
    StoreBusy(#[source] sqlx::Error),
    #[error("the store failed")]
    Store(#[source] sqlx::Error),
    #[error("the work was cut short")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
}

// === impl Failure ===

impl Failure {
    /// When to ask again, where nobody knows better.
    pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// Another call with the same key is on its way here.
    pub(crate) fn key_in_use() -> Self {
        Self::KeyInUse { retry_after: Duration::from_millis(200) }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if database::is_unavailable(&error) { Self::StoreBusy(error) } else { Self::Store(error) }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(invalid) => invalid.into(),
            Failure::UnknownOrder(_) | Failure::UnknownEvent(_) => Status::new(Code::NotFound, failure.to_string()),
            Failure::KeyReused => precondition(&failure, "IDEMPOTENCY_KEY_REUSED", HashMap::new()),
            Failure::NothingToCancel(order) => precondition(&failure, "ORDER_DECLINED", named(order)),
            Failure::Declined { order, reason, replayed } => {
                let mut status = precondition(&failure, reason.as_str(), named(order));
                if replayed {
                    mark_replayed(status.metadata_mut());
                }
                status
            }
            Failure::KeyInUse { retry_after } => retry(failure, Code::Aborted, retry_after),
            Failure::PaymentUnavailable { retry_after, .. } => retry(failure, Code::Unavailable, retry_after),
            Failure::StoreBusy(_) => retry(failure, Code::Unavailable, Failure::RETRY_AFTER),
            Failure::PaymentRefused(_) | Failure::PaymentState(_) | Failure::Store(_) | Failure::Interrupted(_) => {
                internal(failure)
            }
        }
    }
}

fn precondition(failure: &Failure, reason: &str, facts: HashMap<String, String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
    Status::with_error_details(Code::FailedPrecondition, failure.to_string(), details)
}

fn named(order: OrderId) -> HashMap<String, String> {
    HashMap::from([("order_id".to_owned(), order.to_string())])
}

fn retry(failure: Failure, code: Code, after: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(after));
    let mut status = Status::with_error_details(code, failure.to_string(), details);
    status.set_source(Arc::new(failure));
    status
}

/// Tells the caller where to look, and nothing of what is there.
fn internal(failure: Failure) -> Status {
    let message = match telemetry::trace_id() {
        Some(trace) => format!("internal error, trace {trace}"),
        None => "internal error".to_owned(),
    };
    let mut status = Status::new(Code::Internal, message);
    status.set_source(Arc::new(failure));
    status
}
