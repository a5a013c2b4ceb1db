//! What can go wrong, in this service's words, and the one place where it becomes a status.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::wire::passed_on;

/// When to ask again for a service that did not answer.
const UNREACHABLE_RETRY: Duration = Duration::from_secs(1);

/// Why the service had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The listeners failed.
    #[error("failed to serve")]
    Serve(#[source] server::Error),
}

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The order service says so, and to the caller.
    #[error("the order service refused")]
    Refused(#[source] Status),
    /// The order service gave no answer: whether it did anything is not known.
    #[error("the order service is not available")]
    Unreachable(#[source] Status),
    /// The order service's own failure, or a fault of ours: nothing a caller could act on.
    #[error("the order service failed")]
    Broken(#[source] Status),
}

// === impl Failure ===

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match status.code() {
            // A status that was sent has no cause on this side: here the connection broke.
            _ if status.source().is_some() => Self::Unreachable(status),
            Code::InvalidArgument
            | Code::NotFound
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::Unavailable
            | Code::DeadlineExceeded => Self::Refused(status),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Self::Broken(status),
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Refused(status) => Status::with_details_and_metadata(
                status.code(),
                status.message(),
                status.details().to_vec().into(),
                passed_on(status.metadata()),
            ),
            Failure::Unreachable(_) => {
                let details = ErrorDetails::with_retry_info(Some(UNREACHABLE_RETRY));
                caused(Status::with_error_details(Code::Unavailable, failure.to_string(), details), failure)
            }
            Failure::Broken(_) => {
                let message = match telemetry::trace_id() {
                    Some(trace) => format!("internal error, trace {trace}"),
                    None => "internal error".to_owned(),
                };
                caused(Status::new(Code::Internal, message), failure)
            }
        }
    }
}

/// The cause stays in this process: it is logged, not sent.
fn caused(mut status: Status, failure: Failure) -> Status {
    status.set_source(Arc::new(failure));
    status
}
