//! What can go wrong, in this service's words, and the one place where it becomes a status.

use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// When to ask a store again that is away or overrun.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why the service could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database cannot be opened or brought up to date.
    #[error("failed to open the deliveries")]
    Store(#[source] database::OpenError),
    /// The listeners failed.
    #[error("failed to serve")]
    Serve(#[source] server::Error),
}

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the store is busy")]
    StoreBusy(#[source] sqlx::Error),
    #[error("the store failed")]
    Store(#[source] sqlx::Error),
}

// === impl Failure ===

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        if database::is_unavailable(&error) { Self::StoreBusy(error) } else { Self::Store(error) }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let mut status = match &failure {
            Failure::Store(_) => Status::new(Code::Internal, internal()),
            Failure::StoreBusy(_) => {
                let details = ErrorDetails::with_retry_info(Some(RETRY_AFTER));
                Status::with_error_details(Code::Unavailable, failure.to_string(), details)
            }
        };
        status.set_source(Arc::new(failure));
        status
    }
}

/// Tells the caller where to look, and nothing of what is there.
fn internal() -> String {
    match telemetry::trace_id() {
        Some(trace) => format!("internal error, trace {trace}"),
        None => "internal error".to_owned(),
    }
}
