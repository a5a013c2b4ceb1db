//! A notification service that answers what a test says, and remembers what it took.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use proto::notification::v1 as pb;
use proto::notification::v1::notification_service_server::{NotificationService, NotificationServiceServer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::stage::PATIENCE;

/// What an event is answered with; `None` takes it.
type Answer = Arc<Mutex<dyn FnMut(&pb::DeliverRequest) -> Option<Status> + Send>>;

pub(crate) struct FakeNotification {
    pub(crate) address: SocketAddr,
    taken: watch::Receiver<Vec<pb::DeliverRequest>>,
}

struct Service {
    answer: Answer,
    taken: watch::Sender<Vec<pb::DeliverRequest>>,
}

// === impl FakeNotification ===

impl FakeNotification {
    /// Serves on `listener`.
    pub(crate) fn start(
        listener: TcpListener,
        answer: impl FnMut(&pb::DeliverRequest) -> Option<Status> + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, taken) = watch::channel(Vec::new());
        let service = Service { answer: Arc::new(Mutex::new(answer)), taken: sender };
        let server = Server::builder().add_service(NotificationServiceServer::new(service));
        let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
        telemetry::spawn(async move { serving.await.unwrap() });
        Self { address, taken }
    }

    /// Waits until so many events were taken.
    pub(crate) async fn until(&mut self, count: usize) -> Vec<pb::DeliverRequest> {
        let enough = self.taken.wait_for(|taken| taken.len() >= count);
        tokio::time::timeout(PATIENCE, enough).await.expect("fewer events were sent").unwrap().clone()
    }
}

// === impl Service ===

#[tonic::async_trait]
impl NotificationService for Service {
    async fn deliver(&self, request: Request<pb::DeliverRequest>) -> Result<Response<pb::DeliverResponse>, Status> {
        let event = request.into_inner();
        if let Some(refusal) = (self.answer.lock().unwrap())(&event) {
            return Err(refusal);
        }
        self.taken.send_modify(|taken| taken.push(event));
        Ok(Response::new(pb::DeliverResponse { known: false }))
    }

    async fn list_deliveries(
        &self,
        _: Request<pb::ListDeliveriesRequest>,
    ) -> Result<Response<pb::ListDeliveriesResponse>, Status> {
        Err(Status::unimplemented("not asked for by the order service"))
    }
}
