//! An order service that answers every call what a test says, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use proto::order::v1 as pb;
use proto::order::v1::order_service_server::{OrderService, OrderServiceServer};
use proto::types::v1::{Order, OrderChange, OrderState};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::stage::bind;

/// What every call is answered with; the orders are the answer's message.
pub(crate) type Answer = Result<Response<Vec<Order>>, Status>;

pub(crate) struct FakeOrder {
    pub(crate) address: SocketAddr,
    calls: Calls,
}

/// The calls so far: what they asked for and the metadata they brought.
type Calls = Arc<Mutex<Vec<(Asked, MetadataMap)>>>;

/// A call: what it brought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Place(pb::PlaceOrderRequest),
    Cancel(pb::CancelOrderRequest),
    Get(pb::GetOrderRequest),
    List(pb::ListOrdersRequest),
}

struct Service<F> {
    answer: F,
    calls: Calls,
}

// === impl FakeOrder ===

impl FakeOrder {
    pub(crate) async fn start(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        let listener = bind().await;
        let address = listener.local_addr().unwrap();
        let calls = Calls::default();
        let service = OrderServiceServer::new(Service { answer, calls: Arc::clone(&calls) });
        let (health_reporter, health) = tonic_health::server::health_reporter();
        health_reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let server = Server::builder().add_service(service).add_service(health);
        let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
        telemetry::spawn(async move { serving.await.unwrap() });
        Self { address, calls }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.calls.lock().unwrap().iter().map(|(asked, _)| asked.clone()).collect()
    }

    /// The metadata that came with each of it.
    pub(crate) fn metadata(&self) -> Vec<MetadataMap> {
        self.calls.lock().unwrap().iter().map(|(_, metadata)| metadata.clone()).collect()
    }
}

// === impl Service ===

impl<F: Fn() -> Answer> Service<F> {
    fn answer<Q, A>(
        &self,
        request: Request<Q>,
        asked: impl FnOnce(Q) -> Asked,
        message: impl FnOnce(Vec<Order>) -> A,
    ) -> Result<Response<A>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.calls.lock().unwrap().push((asked(request), metadata));
        (self.answer)().map(|answer| answer.map(message))
    }
}

#[tonic::async_trait]
impl<F: Fn() -> Answer + Send + Sync + 'static> OrderService for Service<F> {
    async fn place_order(
        &self,
        request: Request<pb::PlaceOrderRequest>,
    ) -> Result<Response<pb::PlaceOrderResponse>, Status> {
        self.answer(request, Asked::Place, |orders| pb::PlaceOrderResponse { order: orders.into_iter().next() })
    }

    async fn get_order(&self, request: Request<pb::GetOrderRequest>) -> Result<Response<pb::GetOrderResponse>, Status> {
        let found = |orders: Vec<Order>| pb::GetOrderResponse { order: orders.into_iter().next(), history: history() };
        self.answer(request, Asked::Get, found)
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        self.answer(request, Asked::Cancel, |orders| pb::CancelOrderResponse { order: orders.into_iter().next() })
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let next_page_token = "the-next-page".to_owned();
        self.answer(request, Asked::List, |orders| pb::ListOrdersResponse { orders, next_page_token })
    }

    async fn list_parked_events(
        &self,
        _: Request<pb::ListParkedEventsRequest>,
    ) -> Result<Response<pb::ListParkedEventsResponse>, Status> {
        Err(Status::unimplemented("not asked for by the gateway"))
    }

    async fn requeue_event(
        &self,
        _: Request<pb::RequeueEventRequest>,
    ) -> Result<Response<pb::RequeueEventResponse>, Status> {
        Err(Status::unimplemented("not asked for by the gateway"))
    }
}

/// That of every order.
pub(crate) fn history() -> Vec<OrderChange> {
    vec![OrderChange { state: OrderState::PaymentPending.into(), ..OrderChange::default() }]
}

/// An answer with headers of which callers may see one.
pub(crate) fn with_headers<T>(message: T) -> Response<T> {
    let mut response = Response::new(message);
    add_headers(response.metadata_mut());
    response
}

/// Headers of which callers may see one.
pub(crate) fn add_headers(metadata: &mut MetadataMap) {
    metadata.insert("idempotent-replayed", "true".parse().unwrap());
    metadata.insert("x-internal-host", "order-7".parse().unwrap());
}
