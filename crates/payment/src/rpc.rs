//! The contract's methods: parse, act, answer.

use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_server::PaymentService;
use tonic::{Request, Response, Status};

use crate::idempotency::Keyed;
use crate::payment::PaymentId;
use crate::payments::Payments;

/// The payment service as the network sees it.
pub(crate) struct Rpc {
    pub(crate) payments: Payments,
}

#[tonic::async_trait]
impl PaymentService for Rpc {
    async fn charge(&self, request: Request<pb::ChargeRequest>) -> Result<Response<pb::ChargeResponse>, Status> {
        let charge = Keyed::try_from(request.into_inner())?;
        let answer = self.payments.charge(charge).await?;
        Ok(answer.into())
    }

    async fn refund(&self, request: Request<pb::RefundRequest>) -> Result<Response<pb::RefundResponse>, Status> {
        let refund = Keyed::try_from(request.into_inner())?;
        let answer = self.payments.refund(refund).await?;
        Ok(answer.into())
    }

    async fn get_payment(
        &self,
        request: Request<pb::GetPaymentRequest>,
    ) -> Result<Response<pb::GetPaymentResponse>, Status> {
        let id = PaymentId::try_from(request.into_inner())?;
        let found = self.payments.get(id).await?;
        Ok(Response::new(found.into()))
    }
}
