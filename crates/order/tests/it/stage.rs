//! The order service on real sockets and files, for one test: before the real payment service and bank, or a fake one.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Parser;
use proto::order::v1 as pb;
use proto::order::v1::order_service_client::OrderServiceClient;
use proto::types::v1 as types;
use sqlx::{AnyConnection, Connection};
use telemetry::Service;
use telemetry::testing::{Spans, Trace};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::fake_payment::FakePayment;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Everything a test needs; files and servers go with it.
pub(crate) struct Stage {
    pub(crate) client: OrderServiceClient<Channel>,
    pub(crate) spans: Spans,
    pub(crate) bank: Option<SocketAddr>,
    dir: TempDir,
    /// The URL of the order service's database.
    store: String,
    config: order::Config,
    order: Served,
}

/// A running server.
struct Served {
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

// === impl Stage ===

impl Stage {
    /// Before the real payment service, and that before the real bank.
    pub(crate) async fn set() -> Self {
        Self::set_and(|_| {}).await
    }

    /// The same with other settings of the order service.
    pub(crate) async fn set_and(adjust: impl FnOnce(&mut order::Config)) -> Self {
        let (dir, spans) = (tempfile::tempdir().unwrap(), Spans::new());
        let (bank, payment) = (bind().await, server::Listeners { rpc: bind().await, admin: bind().await });
        let (bank_address, payment_address) = (bank.local_addr().unwrap(), payment.rpc.local_addr().unwrap());

        let bank_config = bank::Config { database_url: url(&dir, "bank.db"), ..bank::Config::parse_from(["bank"]) };
        telemetry::spawn(async move { bank::serve(bank, bank_config, std::future::pending()).await.unwrap() });

        let mut config = payment::Config::parse_from(["payment"]);
        config.bank = format!("http://{bank_address}").parse().unwrap();
        config.bank_timeout = Duration::from_millis(500);
        config.database_url = local_postgres::store(url(&dir, "payment.db")).await.parse().unwrap();
        let telemetry = spans.service(Service::new("payment", "0.0.0"));
        telemetry::spawn(async move {
            payment::serve(payment, config, telemetry, std::future::pending()).await.unwrap();
        });
        Self { bank: Some(bank_address), ..Self::before(payment_address, dir, spans, adjust).await }
    }

    /// Before a payment service that answers what the test says.
    pub(crate) async fn with_fake() -> (Self, FakePayment) {
        Self::with_fake_and(|_| {}).await
    }

    /// The same with other settings of the order service.
    pub(crate) async fn with_fake_and(adjust: impl FnOnce(&mut order::Config)) -> (Self, FakePayment) {
        let payment = FakePayment::start().await;
        let (dir, spans) = (tempfile::tempdir().unwrap(), Spans::new());
        (Self::before(payment.line.address, dir, spans, adjust).await, payment)
    }

    async fn before(payment: SocketAddr, dir: TempDir, spans: Spans, adjust: impl FnOnce(&mut order::Config)) -> Self {
        let mut config = order::Config::parse_from(["order"]);
        // Only a test that wants it sees orders taken up that it has left.
        config.recovery_interval = Duration::from_secs(3600);
        config.payment = format!("http://{payment}").parse().unwrap();
        let store = local_postgres::store(url(&dir, "order.db")).await;
        config.database_url = store.parse().unwrap();
        adjust(&mut config);
        let (client, order) = serve(&config, &spans).await;
        Self { client, spans, bank: None, dir, store, config, order }
    }

    /// Stops the order service and starts it again on the same store.
    pub(crate) async fn restart(self) -> Self {
        let Self { client, spans, bank, dir, store, config, order } = self;
        drop(client);
        order.stop.send(()).unwrap();
        order.task.await.unwrap();
        let (client, order) = serve(&config, &spans).await;
        Self { client, spans, bank, dir, store, config, order }
    }

    /// Starts the order service anew on the same store, as after a crash: the old one does not get to finish anything.
    pub(crate) async fn crash(mut self) -> Self {
        let (client, order) = serve(&self.config, &self.spans).await;
        self.order.task.abort();
        (self.client, self.order) = (client, order);
        self
    }

    /// Stops the order service and gives all that its files hold.
    pub(crate) async fn stored_bytes(self) -> Vec<u8> {
        drop(self.client);
        self.order.stop.send(()).unwrap();
        self.order.task.await.unwrap();
        let ours = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().starts_with("order.db");
        let files = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| ours(path)).flat_map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// A connection of another process to the order service's database.
    pub(crate) async fn database(&self) -> AnyConnection {
        // A service that answers has made its tables.
        self.health().await;
        AnyConnection::connect(&self.store).await.unwrap()
    }

    /// What the order service says of its health.
    pub(crate) async fn health(&self) -> ServingStatus {
        let channel = Endpoint::from_shared(self.order.url.clone()).unwrap().connect_lazy();
        let all = HealthCheckRequest { service: String::new() };
        HealthClient::new(channel).check(all).await.unwrap().into_inner().status()
    }

    pub(crate) async fn place(
        &self,
        order: &pb::PlaceOrderRequest,
    ) -> Result<Response<pb::PlaceOrderResponse>, Status> {
        self.client.clone().place_order(order.clone()).await
    }

    pub(crate) async fn get(&self, id: &str) -> Result<types::Order, Status> {
        Ok(self.find(id).await?.order.unwrap())
    }

    /// Every state that an order was in.
    pub(crate) async fn history(&self, id: &str) -> Vec<types::OrderState> {
        let changes = self.find(id).await.unwrap().history;
        assert!(changes.is_sorted_by_key(|change| change.time.map(|at| (at.seconds, at.nanos))), "{changes:?}");
        changes.into_iter().map(|change| change.state()).collect()
    }

    /// Waits until an order has come to that state.
    pub(crate) async fn until(&self, id: &str, state: types::OrderState) -> types::Order {
        let come = async {
            loop {
                let order = self.get(id).await.unwrap();
                if order.state() == state {
                    break order;
                }
            }
        };
        tokio::time::timeout(PATIENCE, come).await.unwrap_or_else(|_| panic!("{id} is not {state:?}"))
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<types::Order, Status> {
        let request = pb::CancelOrderRequest { order_id: id.to_owned() };
        Ok(self.client.clone().cancel_order(request).await?.into_inner().order.unwrap())
    }

    async fn find(&self, id: &str) -> Result<pb::GetOrderResponse, Status> {
        let request = pb::GetOrderRequest { order_id: id.to_owned() };
        Ok(self.client.clone().get_order(request).await?.into_inner())
    }

    /// The movements of money in the bank's ledger that are for the order.
    pub(crate) async fn movements(&self, order: &str) -> Vec<String> {
        let url = format!("http://{}/v1/ledger?reference={order}", self.bank.unwrap());
        let ledger: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let entries = ledger["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// The trace of a call, once all its work has ended, by what the call was answered with.
    pub(crate) async fn trace(&self, answered: &MetadataMap) -> Trace {
        self.spans.trace(answered.get("x-trace-id").unwrap().to_str().unwrap()).await
    }
}

/// An order of two teas and a mug (21.00 EUR), under a fresh key.
pub(crate) fn order(token: &str) -> pb::PlaceOrderRequest {
    pb::PlaceOrderRequest {
        idempotency_key: Uuid::new_v4().to_string(),
        items: vec![item("tea", 2), item("mug", 1)],
        customer: Some(types::Customer { email: "ada@example.com".to_owned() }),
        payment_token: token.to_owned(),
    }
}

pub(crate) fn item(sku: &str, quantity: i32) -> types::Item {
    types::Item { sku: sku.to_owned(), quantity }
}

/// The order that a call was answered with.
#[track_caller]
pub(crate) fn placed(answer: Result<Response<pb::PlaceOrderResponse>, Status>) -> types::Order {
    answer.unwrap().into_inner().order.unwrap()
}

/// Whether an answer is marked as that of an earlier call.
pub(crate) fn is_replayed(metadata: &MetadataMap) -> bool {
    metadata.get("idempotent-replayed").is_some_and(|value| value == "true")
}

/// The reason of a refusal.
#[track_caller]
pub(crate) fn reason(status: &Status) -> String {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "shop.throughline");
    info.reason
}

async fn serve(config: &order::Config, spans: &Spans) -> (OrderServiceClient<Channel>, Served) {
    let listeners = server::Listeners { rpc: bind().await, admin: bind().await };
    let url = format!("http://{}", listeners.rpc.local_addr().unwrap());
    let channel = Endpoint::from_shared(url.clone()).unwrap().connect_lazy();
    let telemetry = spans.service(Service::new("order", "0.0.0"));
    let (stop, stopped) = oneshot::channel();
    let config = config.clone();
    let task = telemetry::spawn(async move {
        let stopped = async { drop(stopped.await) };
        order::serve(listeners, config, telemetry, stopped).await.unwrap();
    });
    (OrderServiceClient::new(channel), Served { url, stop, task })
}

pub(crate) async fn bind() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

fn url(dir: &TempDir, file: &str) -> String {
    format!("sqlite://{}", dir.path().join(file).display())
}
