//! From the contract's messages to what they mean, and back.

use prost::Message;
use proto::Invalid;
use proto::payment::v1 as pb;
use proto::types::v1 as pbt;
use sha2::{Digest, Sha256};
use tonic::Response;
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::idempotency::{Fingerprint, Keyed, Method, Ticket};
use crate::payment::{Change, Charge, DeclineReason, Money, Payment, PaymentId, Refund, State, Timestamp};
use crate::payments::{Answer, Found};

// === Requests ===

impl TryFrom<pb::ChargeRequest> for Keyed<Charge> {
    type Error = Invalid;

    /// # Errors
    /// When the key is malformed: such a request can't be known. Other violations stand in the content.
    fn try_from(request: pb::ChargeRequest) -> Result<Self, Invalid> {
        let fingerprint = fingerprint(&request);
        let mut invalid = Invalid::none();
        let key = invalid.check("idempotency_key", request.idempotency_key.parse());
        let order_id = invalid.check("order_id", request.order_id.parse());
        let amount = amount(&mut invalid, request.amount.unwrap_or_default());
        let token = invalid.check("payment_token", request.payment_token.parse());

        let charge = (|| Some(Charge { order_id: order_id?, amount: amount?, token: token? }))();
        let Some(key) = key else { return Err(invalid) };
        Ok(Self { ticket: Ticket { method: Method::Charge, key, fingerprint }, content: invalid.or(charge) })
    }
}

impl TryFrom<pb::RefundRequest> for Keyed<Refund> {
    type Error = Invalid;

    /// # Errors
    /// When the key is malformed: such a request can't be known. Other violations stand in the content.
    fn try_from(request: pb::RefundRequest) -> Result<Self, Invalid> {
        let fingerprint = fingerprint(&request);
        let mut invalid = Invalid::none();
        let key = invalid.check("idempotency_key", request.idempotency_key.parse());
        let payment_id = invalid.check("payment_id", request.payment_id.parse());

        let refund = payment_id.map(|payment_id| Refund { payment_id });
        let Some(key) = key else { return Err(invalid) };
        Ok(Self { ticket: Ticket { method: Method::Refund, key, fingerprint }, content: invalid.or(refund) })
    }
}

impl TryFrom<pb::GetPaymentRequest> for PaymentId {
    type Error = Invalid;

    fn try_from(request: pb::GetPaymentRequest) -> Result<Self, Invalid> {
        let mut invalid = Invalid::none();
        let id = invalid.check("payment_id", request.payment_id.parse());
        invalid.or(id)
    }
}

fn amount(invalid: &mut Invalid, money: pbt::Money) -> Option<Money> {
    let minor_units = invalid.check("amount.minor_units", money.minor_units.try_into());
    let currency = invalid.check("amount.currency_code", money.currency_code.parse());
    Some(Money { minor_units: minor_units?, currency: currency? })
}

fn fingerprint(request: &impl Message) -> Fingerprint {
    Fingerprint(Sha256::digest(request.encode_to_vec()).into())
}

// === Answers ===

impl From<Answer> for Response<pb::ChargeResponse> {
    fn from(Answer { payment, replayed }: Answer) -> Self {
        answered(pb::ChargeResponse { payment: Some(payment.into()) }, replayed)
    }
}

impl From<Answer> for Response<pb::RefundResponse> {
    fn from(Answer { payment, replayed }: Answer) -> Self {
        answered(pb::RefundResponse { payment: Some(payment.into()) }, replayed)
    }
}

fn answered<T>(message: T, replayed: bool) -> Response<T> {
    let mut response = Response::new(message);
    if replayed {
        mark_replayed(response.metadata_mut());
    }
    response
}

/// Tells the caller that this is the answer of an earlier call.
pub(crate) fn mark_replayed(metadata: &mut MetadataMap) {
    metadata.insert("idempotent-replayed", MetadataValue::from_static("true"));
}

impl From<Found> for pb::GetPaymentResponse {
    fn from(Found { payment, history }: Found) -> Self {
        Self { payment: Some(payment.into()), history: history.into_iter().map(Into::into).collect() }
    }
}

impl From<Change> for pb::PaymentChange {
    fn from(Change { state, at }: Change) -> Self {
        Self {
            state: pb::PaymentState::from(&state).into(),
            decline_reason: decline_reason(&state).into(),
            time: Some(at.into()),
        }
    }
}

impl From<Payment> for pb::Payment {
    fn from(payment: Payment) -> Self {
        let Payment { id, order_id, amount, state, created_at, updated_at } = payment;
        Self {
            id: id.to_string(),
            order_id: order_id.to_string(),
            state: pb::PaymentState::from(&state).into(),
            amount: Some(amount.into()),
            transaction_id: state.transaction_id().map(|id| id.as_str().to_owned()).unwrap_or_default(),
            decline_reason: decline_reason(&state).into(),
            create_time: Some(created_at.into()),
            update_time: Some(updated_at.into()),
        }
    }
}

fn decline_reason(state: &State) -> pbt::DeclineReason {
    match state {
        State::Declined(reason) => pbt::DeclineReason::from(*reason),
        _ => pbt::DeclineReason::Unspecified,
    }
}

impl From<&State> for pb::PaymentState {
    fn from(state: &State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Captured(_) => Self::Captured,
            State::Declined(_) => Self::Declined,
            State::RefundPending(_) => Self::RefundPending,
            State::Refunded(_) => Self::Refunded,
        }
    }
}

impl From<DeclineReason> for pbt::DeclineReason {
    fn from(reason: DeclineReason) -> Self {
        match reason {
            DeclineReason::CardDeclined => Self::CardDeclined,
            DeclineReason::InsufficientFunds => Self::InsufficientFunds,
            DeclineReason::CardExpired => Self::CardExpired,
        }
    }
}

impl From<Money> for pbt::Money {
    fn from(Money { minor_units, currency }: Money) -> Self {
        Self { minor_units: minor_units.get(), currency_code: currency.as_str().to_owned() }
    }
}

impl From<Timestamp> for prost_types::Timestamp {
    fn from(Timestamp { micros }: Timestamp) -> Self {
        let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).expect("less than a second");
        Self { seconds: micros.div_euclid(1_000_000), nanos }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_microseconds() {
        let wire = prost_types::Timestamp::from(Timestamp { micros: 1_500_000_000_123_456 });
        assert_eq!((wire.seconds, wire.nanos), (1_500_000_000, 123_456_000));
        let before = prost_types::Timestamp::from(Timestamp { micros: -1 });
        assert_eq!((before.seconds, before.nanos), (-1, 999_999_000));
    }
}
