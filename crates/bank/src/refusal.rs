//! Why a call was refused, and the one place where that becomes an HTTP answer.

use std::error::Error as StdError;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use tokio::task::JoinError;
use tracing::error;

use crate::{answer::ErrorBody, authorisation::InvalidState, request::Invalid};

/// A call that decided nothing. It is never stored: the same key may be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the request is invalid")]
    Invalid(Invalid),
    #[error("the body is longer than 65536 bytes")]
    TooLarge,
    #[error("there is nothing here")]
    NotFound,
    #[error("the method is not allowed here")]
    MethodNotAllowed,
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("a call with this idempotency key is still running")]
    KeyInUse,
    #[error("the authorisation is not in a state for this")]
    InvalidState,
    #[error("the bank is busy, try again")]
    Unavailable,
    #[error("internal error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl Refusal {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Refusal::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            Refusal::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Refusal::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Refusal::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            Refusal::KeyInUse => (StatusCode::CONFLICT, "idempotency_key_in_use"),
            Refusal::InvalidState => (StatusCode::CONFLICT, "invalid_state"),
            Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Refusal::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// What the caller is told, and which field is to blame.
    fn message_and_field(&self) -> (String, Option<&str>) {
        match self {
            Refusal::Invalid(Invalid { field: Some(field), reason }) => (format!("{field} {reason}"), Some(field)),
            Refusal::Invalid(Invalid { field: None, reason }) => ((*reason).to_owned(), None),
            other => (other.to_string(), None),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Refusal::Internal(source) = &self {
            // The caller learns nothing of the cause, so this line is the only one that knows it.
            error!(error = &**source as &(dyn StdError + 'static), "a call failed");
        }
        let (status, code) = self.status_and_code();
        let (message, field) = self.message_and_field();
        let mut response = (status, Json(ErrorBody::new(code, field, &message))).into_response();
        if let Refusal::Unavailable = self {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
        }
        response
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Refusal::Invalid(invalid)
    }
}

impl From<InvalidState> for Refusal {
    fn from(InvalidState: InvalidState) -> Self {
        Refusal::InvalidState
    }
}

impl From<JoinError> for Refusal {
    fn from(panic: JoinError) -> Self {
        Refusal::Internal(panic.into())
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Refusal::Unavailable,
            sqlx::Error::Database(error) if is_busy(&*error) => Refusal::Unavailable,
            error => Refusal::Internal(error.into()),
        }
    }
}

/// Whether another process holds the file. SQLite's extended codes keep the plain one in their lowest byte.
fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    const SQLITE_BUSY: u32 = 5;
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
}
