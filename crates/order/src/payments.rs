//! The payment service as this service sees it: one call, and what its answer means for an order.

use std::time::Duration;

use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use proto::types;
use telemetry::RpcChannel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tracing::warn;

use crate::error::Failure;
use crate::order::{DeclineReason, PaymentId, PaymentToken};
use crate::saga::Held;

/// The client of the payment service.
#[derive(Clone)]
pub(crate) struct Payments {
    client: PaymentServiceClient<RpcChannel>,
}

/// How a charge ended, as far as anybody knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The money moved.
    Paid(PaymentId),
    /// The bank refused.
    Declined(Option<PaymentId>, DeclineReason),
    /// The money moved or not: only asking again with the same key can tell.
    Unknown(Option<PaymentId>),
}

// === impl Payments ===

impl Payments {
    /// The longest a charge may take: less than what a caller waits by default, so that it learns of a pending payment
    /// rather than of a deadline.
    pub(crate) const MAX_DEADLINE: Duration = Duration::from_secs(8);

    /// Requests and answers are small: a few ids, a token, an amount.
    const MAX_MESSAGE_BYTES: usize = 64 * 1024;

    pub(crate) fn new(channel: RpcChannel) -> Self {
        let client = PaymentServiceClient::new(channel)
            .max_encoding_message_size(Self::MAX_MESSAGE_BYTES)
            .max_decoding_message_size(Self::MAX_MESSAGE_BYTES);
        Self { client }
    }

    /// Charges for an order. Safe to repeat: the charge carries its own idempotency key.
    ///
    /// # Errors
    /// When the charge has to be asked for again before anybody can say how it ends.
    pub(crate) async fn charge(&self, held: &Held) -> Result<Outcome, Failure> {
        match self.client.clone().charge(charge(held)).await {
            Ok(answer) => outcome(answer.into_inner().payment.unwrap_or_default()),
            Err(status) if status.code() == Code::FailedPrecondition => declined(status),
            Err(status) => unsettled(status).map(|()| Outcome::Unknown(None)),
        }
    }

    /// Gives back what was paid for an order, and says whether it surely is. Safe to repeat, as is a charge.
    ///
    /// # Errors
    /// When the refund has to be asked for again before anybody can say how it ends.
    pub(crate) async fn refund(&self, held: &Held) -> Result<bool, Failure> {
        match self.client.clone().refund(refund(held)).await {
            Ok(answer) => match answer.into_inner().payment.unwrap_or_default().state() {
                pb::PaymentState::Refunded => Ok(true),
                pb::PaymentState::RefundPending => Ok(false),
                state => Err(Failure::PaymentState(state.as_str_name())),
            },
            Err(status) => unsettled(status).map(|()| false),
        }
    }
}

fn charge(Held { order, payment_key, token, .. }: &Held) -> pb::ChargeRequest {
    pb::ChargeRequest {
        idempotency_key: payment_key.clone(),
        order_id: order.id.to_string(),
        amount: Some(types::v1::Money {
            minor_units: order.total.minor_units(),
            currency_code: order.total.currency().as_str().to_owned(),
        }),
        payment_token: token.as_ref().map(PaymentToken::expose).unwrap_or_default().to_owned(),
    }
}

fn refund(Held { order, payment_key, .. }: &Held) -> pb::RefundRequest {
    pb::RefundRequest {
        idempotency_key: payment_key.clone(),
        payment_id: order.payment.map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// What an answer means. A payment that was refunded later was captured all the same.
fn outcome(payment: pb::Payment) -> Result<Outcome, Failure> {
    let id = payment.id.parse::<PaymentId>().ok();
    match (payment.state(), id) {
        (pb::PaymentState::Captured | pb::PaymentState::RefundPending | pb::PaymentState::Refunded, Some(id)) => {
            Ok(Outcome::Paid(id))
        }
        (pb::PaymentState::Pending, id) => Ok(Outcome::Unknown(id)),
        (state, _) => Err(Failure::PaymentState(state.as_str_name())),
    }
}

/// What an error means that does not say how the money went: nothing, where it may have moved. Another try cannot move it
/// twice, its payment key is the same.
fn unsettled(status: Status) -> Result<(), Failure> {
    match status.code() {
        Code::Aborted => Err(Failure::KeyInUse { retry_after: retry_after(&status) }),
        Code::Unavailable | Code::ResourceExhausted => {
            Err(Failure::PaymentUnavailable { retry_after: retry_after(&status), source: status })
        }
        Code::Ok | Code::Cancelled | Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::DataLoss => {
            warn!(code = ?status.code(), "payment outcome unknown");
            Ok(())
        }
        Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Err(Failure::PaymentRefused(status)),
    }
}

fn declined(status: Status) -> Result<Outcome, Failure> {
    let outcome = status.get_details_error_info().and_then(|info| {
        let reason = DeclineReason::named(&info.reason)?;
        let payment = info.metadata.get("payment_id").and_then(|id| id.parse().ok());
        Some(Outcome::Declined(payment, reason))
    });
    outcome.ok_or(Failure::PaymentRefused(status))
}

fn retry_after(status: &Status) -> Duration {
    status.get_details_retry_info().and_then(|retry| retry.retry_delay).unwrap_or(Failure::RETRY_AFTER)
}
