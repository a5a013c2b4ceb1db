//! The notification service on a real socket and a real database, for one test.

use std::net::Ipv4Addr;

use clap::Parser;
use proto::notification::v1 as pb;
use proto::notification::v1::notification_service_client::NotificationServiceClient;
use proto::types::v1 as types;
use telemetry::Service;
use telemetry::testing::Spans;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use uuid::Uuid;

/// Everything a test needs; files and servers go with it.
pub(crate) struct Stage {
    pub(crate) client: NotificationServiceClient<Channel>,
    pub(crate) spans: Spans,
    pub(crate) dir: TempDir,
    config: notification::Config,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

// === impl Stage ===

impl Stage {
    pub(crate) async fn set() -> Self {
        let (dir, spans) = (tempfile::tempdir().unwrap(), Spans::new());
        let mut config = notification::Config::parse_from(["notification"]);
        let sqlite = format!("sqlite://{}", dir.path().join("notification.db").display());
        config.database_url = local_postgres::store(sqlite).await.parse().unwrap();
        let (client, stop, task) = serve(&config, &spans).await;
        Self { client, spans, dir, config, stop, task }
    }

    /// Stops the service and starts it again on the same store.
    pub(crate) async fn restart(self) -> Self {
        let Self { client, spans, dir, config, stop, task } = self;
        drop(client);
        stop.send(()).unwrap();
        task.await.unwrap();
        let (client, stop, task) = serve(&config, &spans).await;
        Self { client, spans, dir, config, stop, task }
    }

    pub(crate) async fn deliver(&self, event: &pb::DeliverRequest) -> Result<Response<pb::DeliverResponse>, Status> {
        self.client.clone().deliver(event.clone()).await
    }

    pub(crate) async fn list(&self, order: &str, size: i32, token: &str) -> pb::ListDeliveriesResponse {
        let request =
            pb::ListDeliveriesRequest { order_id: order.to_owned(), page_size: size, page_token: token.to_owned() };
        self.client.clone().list_deliveries(request).await.unwrap().into_inner()
    }
}

/// An event of a fresh order.
pub(crate) fn event() -> pb::DeliverRequest {
    pb::DeliverRequest {
        event_id: Uuid::new_v4().to_string(),
        order_id: Uuid::new_v4().to_string(),
        sequence: 1,
        state: types::OrderState::Paid.into(),
        customer: Some(types::Customer { email: "canary.mail@example.com".to_owned() }),
        total: Some(types::Money { minor_units: 2100, currency_code: "EUR".to_owned() }),
        time: Some(prost_types::Timestamp { seconds: 1_764_000_000, nanos: 5_000 }),
        trace: None,
    }
}

async fn serve(
    config: &notification::Config,
    spans: &Spans,
) -> (NotificationServiceClient<Channel>, oneshot::Sender<()>, JoinHandle<()>) {
    let listeners = server::Listeners { rpc: bind().await, admin: bind().await };
    let endpoint = Endpoint::from_shared(format!("http://{}", listeners.rpc.local_addr().unwrap())).unwrap();
    let telemetry = spans.service(Service::new("notification", "0.0.0"));
    let (stop, stopped) = oneshot::channel();
    let config = config.clone();
    let task = telemetry::spawn(async move {
        let stopped = async { drop(stopped.await) };
        notification::serve(listeners, config, telemetry, stopped).await.unwrap();
    });
    (NotificationServiceClient::new(endpoint.connect_lazy()), stop, task)
}

async fn bind() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}
