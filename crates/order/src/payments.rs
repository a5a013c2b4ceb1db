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
use crate::order::{DeclineReason, PaymentId};
use crate::saga::Charge;

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
    pub(crate) async fn charge(&self, charge: &Charge) -> Result<Outcome, Failure> {
        match self.client.clone().charge(request(charge)).await {
            Ok(answer) => outcome(answer.into_inner().payment.unwrap_or_default()),
            Err(status) => failure(status),
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// The payment's id, where the payment service has told it.
    pub(crate) fn payment(&self) -> Option<PaymentId> {
        match self {
            Self::Paid(payment) => Some(*payment),
            Self::Declined(payment, _) | Self::Unknown(payment) => *payment,
        }
    }
}

fn request(Charge { order, payment_key, token }: &Charge) -> pb::ChargeRequest {
    pb::ChargeRequest {
        idempotency_key: payment_key.clone(),
        order_id: order.id.to_string(),
        amount: Some(types::v1::Money {
            minor_units: order.total.minor_units(),
            currency_code: order.total.currency().as_str().to_owned(),
        }),
        payment_token: token.expose().to_owned(),
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

/// What an error means: it is final, worth another try, or silent about the money. Another try cannot charge twice, its
/// payment key is the same.
fn failure(status: Status) -> Result<Outcome, Failure> {
    match status.code() {
        Code::FailedPrecondition => declined(status),
        Code::Aborted => Err(Failure::KeyInUse { retry_after: retry_after(&status) }),
        Code::Unavailable | Code::ResourceExhausted => {
            Err(Failure::PaymentUnavailable { retry_after: retry_after(&status), source: status })
        }
        Code::Ok | Code::Cancelled | Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::DataLoss => {
            warn!(code = ?status.code(), "payment outcome unknown");
            Ok(Outcome::Unknown(None))
        }
        Code::InvalidArgument
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
