use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::payment::{DeclineReason, Event, TransactionId};

/// More than any answer of the bank needs.
const LARGEST_BODY: usize = 64 * 1024;

/// An answer of the bank, read whole.
pub(super) struct Reply {
    status: StatusCode,
    body: Vec<u8>,
}

/// Why it is not known whether the bank moved money.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("the bank did not answer in time, or was cut off")]
    Cut(#[source] reqwest::Error),
    #[error("the bank's answer is larger than 64 KiB")]
    TooLarge,
    #[error("the bank's answer is not what was agreed")]
    Unreadable(#[source] serde_json::Error),
    #[error("the bank answered {0}")]
    Unexpected(StatusCode),
}

#[derive(Deserialize)]
struct Authorisation {
    id: String,
    state: AuthorisationState,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum AuthorisationState {
    Authorised,
    Captured,
    Refunded,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalError,
}

#[derive(Deserialize)]
struct RefusalError {
    code: String,
}

// === impl Reply ===

impl Reply {
    pub(super) async fn read(mut response: Response) -> Result<Self, Unknown> {
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Unknown::Cut)? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(Unknown::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status, body })
    }

    /// What this says as an answer to a charge.
    pub(super) fn charged(&self) -> Result<Event, Unknown> {
        match self.status {
            StatusCode::OK | StatusCode::CREATED => self.moved(AuthorisationState::Captured).map(Event::Captured),
            StatusCode::PAYMENT_REQUIRED => Ok(Event::Declined(self.reason()?)),
            status => Err(Unknown::Unexpected(status)),
        }
    }

    /// What this says as an answer to the question what became of a charge.
    pub(super) fn found(&self) -> Result<Option<Event>, Unknown> {
        match self.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => self.moved(AuthorisationState::Captured).map(Event::Captured).map(Some),
            status => Err(Unknown::Unexpected(status)),
        }
    }

    /// What this says as an answer to a refund.
    pub(super) fn refunded(&self) -> Result<Event, Unknown> {
        match self.status {
            StatusCode::OK | StatusCode::CREATED => self.moved(AuthorisationState::Refunded).map(|_| Event::Refunded),
            status => Err(Unknown::Unexpected(status)),
        }
    }

    fn moved(&self, expected: AuthorisationState) -> Result<TransactionId, Unknown> {
        let Authorisation { id, state } = serde_json::from_slice(&self.body).map_err(Unknown::Unreadable)?;
        if state != expected {
            return Err(Unknown::Unexpected(self.status));
        }
        id.parse().map_err(|_| Unknown::Unexpected(self.status))
    }

    fn reason(&self) -> Result<DeclineReason, Unknown> {
        let Refusal { error } = serde_json::from_slice(&self.body).map_err(Unknown::Unreadable)?;
        Ok(match error.code.as_str() {
            "insufficient_funds" => DeclineReason::InsufficientFunds,
            "card_expired" => DeclineReason::CardExpired,
            // A refusal is final whatever the bank calls it.
            _ => DeclineReason::CardDeclined,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status: StatusCode::from_u16(status).unwrap(), body: body.as_bytes().to_vec() }
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: Option<Event>) {
        assert_eq!(reply(status, body).charged().ok(), expected, "{status} {body}");
    }

    #[test]
    fn a_charge_is_settled_only_by_a_clear_answer() {
        let captured = Event::Captured("txn_1".parse().unwrap());
        check(201, r#"{"id":"txn_1","state":"captured","amount":{}}"#, Some(captured));
        check(402, r#"{"error":{"code":"card_expired"}}"#, Some(Event::Declined(DeclineReason::CardExpired)));
        check(
            402,
            r#"{"error":{"code":"insufficient_funds"}}"#,
            Some(Event::Declined(DeclineReason::InsufficientFunds)),
        );
        check(402, r#"{"error":{"code":"stolen"}}"#, Some(Event::Declined(DeclineReason::CardDeclined)));
        check(402, "declined", None);
        check(201, r#"{"id":"txn_1","state":"authorised"}"#, None);
        check(201, r#"{"id":"../healthz","state":"captured"}"#, None);
        check(201, r#"{"state":"captured"}"#, None);
        check(200, "OK", None);
        check(302, r#"{"id":"txn_1","state":"captured"}"#, None);
        check(400, r#"{"error":{"code":"invalid_request"}}"#, None);
        check(409, r#"{"error":{"code":"idempotency_key_in_use"}}"#, None);
        check(500, r#"{"id":"txn_1","state":"captured"}"#, None);
    }

    #[test]
    fn a_charge_that_is_asked_after_is_captured_or_not_known() {
        let captured = Event::Captured("txn_1".parse().unwrap());
        assert_eq!(reply(200, r#"{"id":"txn_1","state":"captured"}"#).found().ok(), Some(Some(captured)));
        assert_eq!(reply(404, r#"{"error":{"code":"not_found"}}"#).found().ok(), Some(None));
        for (status, body) in [(200, r#"{"id":"txn_1","state":"authorised"}"#), (500, ""), (402, "")] {
            assert!(reply(status, body).found().is_err(), "{status} {body}");
        }
    }

    #[test]
    fn a_refund_is_settled_only_by_a_clear_answer() {
        assert_eq!(reply(200, r#"{"id":"txn_1","state":"refunded"}"#).refunded().ok(), Some(Event::Refunded));
        assert!(reply(200, r#"{"id":"txn_1","state":"captured"}"#).refunded().is_err());
        assert!(reply(409, r#"{"error":{"code":"invalid_state"}}"#).refunded().is_err());
        assert!(reply(402, r#"{"error":{"code":"card_declined"}}"#).refunded().is_err());
    }
}
