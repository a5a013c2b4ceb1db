//! A payment service that answers what a test says, when the test says it.

use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::line::Line;
use crate::stage::{PATIENCE, bind};

/// The id of every payment that the fake makes.
pub(crate) const PAYMENT_ID: &str = "0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0aa";

pub(crate) struct FakePayment {
    pub(crate) line: Line,
    charges: mpsc::UnboundedReceiver<Charge>,
    refunds: mpsc::UnboundedReceiver<Refund>,
}

/// A charge that waits for its answer. Dropped without one, it is answered UNKNOWN.
pub(crate) struct Charge {
    pub(crate) request: pb::ChargeRequest,
    pub(crate) metadata: MetadataMap,
    answer: oneshot::Sender<Result<pb::ChargeResponse, Status>>,
}

/// A refund that waits for its answer, as a charge does.
pub(crate) struct Refund {
    pub(crate) request: pb::RefundRequest,
    answer: oneshot::Sender<Result<pb::RefundResponse, Status>>,
}

struct Service {
    charges: mpsc::UnboundedSender<Charge>,
    refunds: mpsc::UnboundedSender<Refund>,
}

// === impl FakePayment ===

impl FakePayment {
    pub(crate) async fn start() -> Self {
        let listener = bind().await;
        let address = listener.local_addr().unwrap();
        let (charge_sender, charges) = mpsc::unbounded_channel();
        let (refund_sender, refunds) = mpsc::unbounded_channel();
        let service = Service { charges: charge_sender, refunds: refund_sender };
        let server = Server::builder().add_service(PaymentServiceServer::new(service));
        let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
        telemetry::spawn(async move { serving.await.unwrap() });
        Self { line: Line::to(address).await, charges, refunds }
    }

    /// The next charge that is asked for.
    pub(crate) async fn next(&mut self) -> Charge {
        tokio::time::timeout(PATIENCE, self.charges.recv()).await.expect("no charge was asked for").unwrap()
    }

    /// The next refund that is asked for.
    pub(crate) async fn next_refund(&mut self) -> Refund {
        tokio::time::timeout(PATIENCE, self.refunds.recv()).await.expect("no refund was asked for").unwrap()
    }

    /// Fails if a charge or a refund was asked for that [`next`](Self::next) or [`next_refund`](Self::next_refund) has not
    /// given.
    #[track_caller]
    pub(crate) fn assert_not_asked(&mut self) {
        assert!(self.charges.try_recv().is_err(), "another charge was asked for");
        assert!(self.refunds.try_recv().is_err(), "another refund was asked for");
    }
}

// === impl Charge ===

impl Charge {
    pub(crate) fn is(self, state: pb::PaymentState) {
        self.answer(Ok(pb::Payment { id: PAYMENT_ID.to_owned(), state: state.into(), ..Default::default() }));
    }

    pub(crate) fn fails(self, status: Status) {
        self.answer(Err(status));
    }

    /// Refused as by a bank, for that reason.
    pub(crate) fn declines(self, reason: &str) {
        let payment = [("payment_id".to_owned(), PAYMENT_ID.to_owned())];
        let details = ErrorDetails::with_error_info(reason, "shop.throughline", payment);
        self.fails(Status::with_error_details(Code::FailedPrecondition, "refused", details));
    }

    pub(crate) fn answer(self, answer: Result<pb::Payment, Status>) {
        let answer = answer.map(|payment| pb::ChargeResponse { payment: Some(payment) });
        // A caller may be gone by now.
        let _ = self.answer.send(answer);
    }
}

// === impl Refund ===

impl Refund {
    pub(crate) fn is(self, state: pb::PaymentState) {
        let payment = pb::Payment { id: PAYMENT_ID.to_owned(), state: state.into(), ..Default::default() };
        let _ = self.answer.send(Ok(pb::RefundResponse { payment: Some(payment) }));
    }

    pub(crate) fn fails(self, status: Status) {
        let _ = self.answer.send(Err(status));
    }
}

// === impl Service ===

#[tonic::async_trait]
impl PaymentService for Service {
    async fn charge(&self, request: Request<pb::ChargeRequest>) -> Result<Response<pb::ChargeResponse>, Status> {
        let (answer, answered) = oneshot::channel();
        let (metadata, _, request) = request.into_parts();
        self.charges.send(Charge { request, metadata, answer }).unwrap();
        answered.await.unwrap_or_else(|_| Err(Status::unknown("dropped"))).map(Response::new)
    }

    async fn refund(&self, request: Request<pb::RefundRequest>) -> Result<Response<pb::RefundResponse>, Status> {
        let (answer, answered) = oneshot::channel();
        self.refunds.send(Refund { request: request.into_inner(), answer }).unwrap();
        answered.await.unwrap_or_else(|_| Err(Status::unknown("dropped"))).map(Response::new)
    }

    async fn get_payment(&self, _: Request<pb::GetPaymentRequest>) -> Result<Response<pb::GetPaymentResponse>, Status> {
        Err(Status::unimplemented("not asked for by the order service"))
    }
}
