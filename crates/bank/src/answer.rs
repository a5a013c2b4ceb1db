//! Our own types to JSON: everything that the bank says.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    authorisation::{Amount, Authorisation},
    card::Decline,
    refusal::Refusal,
    store::Entry,
};

/// The answer of a changing call, as sent and as stored: a replay repeats it byte for byte.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// An authorisation as it is now.
#[derive(Serialize)]
pub(crate) struct AuthorisationBody {
    id: Uuid,
    state: &'static str,
    amount: AmountBody,
    reference: String,
}

#[derive(Serialize)]
struct AmountBody {
    minor_units: i64,
    currency_code: String,
}

/// The movements of money that a merchant asked to see.
#[derive(Serialize)]
pub(crate) struct Statement {
    pub(crate) entries: Vec<Entry>,
}

/// Everything that is no success.
#[derive(Serialize)]
pub(crate) struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

#[derive(Serialize)]
struct ErrorDetail<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: &'a str,
}

// === impl Answer ===

impl Answer {
    /// Money was authorised.
    pub(crate) fn created(authorisation: Authorisation) -> Self {
        Self::new(StatusCode::CREATED, &AuthorisationBody::from(authorisation))
    }

    /// Money was captured or refunded.
    pub(crate) fn changed(authorisation: Authorisation) -> Self {
        Self::new(StatusCode::OK, &AuthorisationBody::from(authorisation))
    }

    /// The card said no.
    pub(crate) fn declined(decline: Decline) -> Self {
        Self::new(StatusCode::PAYMENT_REQUIRED, &ErrorBody::new(decline.code(), None, &decline.to_string()))
    }

    fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_string(body).expect("texts and numbers always have a JSON form");
        Self { status: status.as_u16(), body }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match StatusCode::from_u16(self.status) {
            Ok(status) => (status, [(CONTENT_TYPE, "application/json")], self.body).into_response(),
            // It was read from a file that somebody else has written to.
            Err(error) => Refusal::Internal(error.into()).into_response(),
        }
    }
}

// === impl AuthorisationBody ===

impl From<Authorisation> for AuthorisationBody {
    fn from(Authorisation { id, state, amount, reference }: Authorisation) -> Self {
        let Amount { minor_units, currency_code } = amount;
        Self { id, state: state.as_str(), amount: AmountBody { minor_units, currency_code }, reference }
    }
}

// === impl ErrorBody ===

impl<'a> ErrorBody<'a> {
    /// `code` is for programs, `message` for people; `field` is the one to blame, if there is one.
    pub(crate) fn new(code: &'a str, field: Option<&'a str>, message: &'a str) -> Self {
        Self { error: ErrorDetail { code, field, message } }
    }
}
