//! What can go wrong, in our words, and the one place where it becomes a status.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::Invalid;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::bank::Unavailable;
use crate::payment::{DeclineReason, OutOfTurn, PaymentId};
use crate::wire::mark_replayed;

const DOMAIN: &str = "shop.throughline";

/// A key that is in use is free again as soon as the bank has answered.
const KEY_IN_USE_RETRY: Duration = Duration::from_millis(200);
/// A bank that is down stays down for a while.
const BANK_RETRY: Duration = Duration::from_secs(1);
/// So does a ledger that is away or overrun.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Why the service cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger cannot be opened or brought up to date.
    #[error("failed to open the ledger")]
    Store(#[source] database::OpenError),
    /// The bank's address or client cannot be used.
    #[error("failed to make a client of the bank")]
    Bank(#[source] reqwest::Error),
    /// The listeners failed.
    #[error("failed to serve")]
    Server(#[source] server::Error),
}

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the request is malformed")]
    Invalid(#[from] Invalid),
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the idempotency key is being worked on")]
    KeyInUse,
    #[error("{reason}")]
    Declined { payment_id: PaymentId, reason: DeclineReason, replayed: bool },
    #[error("payment {0} is not captured")]
    NotCaptured(PaymentId),
    #[error("payment {0} does not exist")]
    UnknownPayment(PaymentId),
    #[error("the bank is not available")]
    BankUnavailable(#[source] Unavailable),
    #[error("the bank's answer does not fit the payment")]
    OutOfTurn(#[from] OutOfTurn),
    #[error("the ledger is busy")]
    StoreBusy(#[source] sqlx::Error),
    #[error("the ledger failed")]
    Store(#[source] sqlx::Error),
    #[error("the work was cut short")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
}

// === impl Failure ===

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if database::is_unavailable(&error) { Self::StoreBusy(error) } else { Self::Store(error) }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(invalid) => invalid.into(),
            Failure::KeyReused => precondition(failure, "IDEMPOTENCY_KEY_REUSED", HashMap::new()),
            Failure::KeyInUse => retry(failure, Code::Aborted, KEY_IN_USE_RETRY),
            Failure::Declined { payment_id, reason, replayed } => {
                let mut status = precondition(failure, reason.code(), named(payment_id));
                if replayed {
                    mark_replayed(status.metadata_mut());
                }
                status
            }
            Failure::NotCaptured(id) => precondition(failure, "PAYMENT_NOT_CAPTURED", named(id)),
            Failure::UnknownPayment(_) => Status::new(Code::NotFound, failure.to_string()),
            Failure::BankUnavailable(_) => retry(failure, Code::Unavailable, BANK_RETRY),
            Failure::StoreBusy(_) => retry(failure, Code::Unavailable, STORE_RETRY),
            Failure::OutOfTurn(_) | Failure::Store(_) | Failure::Interrupted(_) => internal(failure),
        }
    }
}

fn precondition(failure: Failure, reason: &str, facts: HashMap<String, String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
    Status::with_error_details(Code::FailedPrecondition, failure.to_string(), details)
}

fn retry(failure: Failure, code: Code, after: Duration) -> Status {
    let mut status = Status::with_error_details(code, failure.to_string(), ErrorDetails::with_retry_info(Some(after)));
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

fn named(payment: PaymentId) -> HashMap<String, String> {
    HashMap::from([("payment_id".to_owned(), payment.to_string())])
}
