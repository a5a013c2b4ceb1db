//! An order service that answers every call what a test says, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use proto::order::v1 as pb;
use proto::order::v1::order_service_server::{OrderService, OrderServiceServer};
use proto::types::v1::Order;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::stage::bind;

/// What every call is answered with; the orders are the answer's message.
pub(crate) type Answer = Result<Response<Vec<Order>>, Status>;

pub(crate) struct FakeOrder {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A call: what it brought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Place(pb::PlaceOrderRequest),
    Get(pb::GetOrderRequest),
    List(pb::ListOrdersRequest),
}

struct Service<F> {
    answer: F,
    asked: Arc<Mutex<Vec<Asked>>>,
}

// === impl FakeOrder ===

impl FakeOrder {
    pub(crate) async fn start(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        let listener = bind().await;
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let service = OrderServiceServer::new(Service { answer, asked: Arc::clone(&asked) });
        let (health_reporter, health) = tonic_health::server::health_reporter();
        health_reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let server = Server::builder().add_service(service).add_service(health);
        let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
        telemetry::spawn(async move { serving.await.unwrap() });
        Self { address, asked }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

// === impl Service ===

impl<F: Fn() -> Answer> Service<F> {
    fn answer<T>(&self, asked: Asked, message: impl FnOnce(Vec<Order>) -> T) -> Result<Response<T>, Status> {
        self.asked.lock().unwrap().push(asked);
        (self.answer)().map(|answer| answer.map(message))
    }
}

#[tonic::async_trait]
impl<F: Fn() -> Answer + Send + Sync + 'static> OrderService for Service<F> {
    async fn place_order(
        &self,
        request: Request<pb::PlaceOrderRequest>,
    ) -> Result<Response<pb::PlaceOrderResponse>, Status> {
        self.answer(Asked::Place(request.into_inner()), |orders| pb::PlaceOrderResponse {
            order: orders.into_iter().next(),
        })
    }

    async fn get_order(&self, request: Request<pb::GetOrderRequest>) -> Result<Response<pb::GetOrderResponse>, Status> {
        self.answer(Asked::Get(request.into_inner()), |orders| pb::GetOrderResponse {
            order: orders.into_iter().next(),
        })
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let next_page_token = "the-next-page".to_owned();
        self.answer(Asked::List(request.into_inner()), |orders| pb::ListOrdersResponse { orders, next_page_token })
    }
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
