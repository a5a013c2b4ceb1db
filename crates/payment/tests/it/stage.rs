//! The payment service and the bank on real sockets and files, for one test.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Parser;
use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use proto::types::v1 as pbt;
use serde_json::Value;
use telemetry::Service;
use telemetry::testing::{Spans, Trace};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

/// The bank's ledger of an order that is paid.
pub(crate) const CAPTURED_ONCE: [&str; 2] = ["authorise", "capture"];
/// The bank's ledger of an order whose money was given back.
pub(crate) const REFUNDED_ONCE: [&str; 3] = ["authorise", "capture", "refund"];

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Everything a test needs; files and servers go with it.
pub(crate) struct Stage {
    pub(crate) client: PaymentServiceClient<Channel>,
    pub(crate) spans: Spans,
    pub(crate) bank: SocketAddr,
    pub(crate) dir: TempDir,
    /// The URL of the payment service's database.
    pub(crate) store: String,
    config: payment::Config,
    payment: Served,
}

/// A running server.
struct Served {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

// === impl Stage ===

impl Stage {
    /// Both with their default settings.
    pub(crate) async fn set() -> Self {
        Self::with(|_, _| {}).await
    }

    /// Both with the settings that `adjust` makes.
    pub(crate) async fn with(adjust: impl FnOnce(&mut payment::Config, &mut bank::Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut bank = bank::Config::parse_from(["bank"]);
        let mut config = payment::Config::parse_from(["payment"]);
        adjust(&mut config, &mut bank);

        let listener = bind().await;
        let address = listener.local_addr().unwrap();
        config.bank = format!("http://{address}").parse().unwrap();
        open_bank(listener, bank, &dir);
        Self::against(config, address, dir).await
    }

    /// The payment service alone, with whatever is at `bank` as its bank.
    pub(crate) async fn facing(bank: SocketAddr, mut config: payment::Config) -> Self {
        config.bank = format!("http://{bank}").parse().unwrap();
        Self::against(config, bank, tempfile::tempdir().unwrap()).await
    }

    async fn against(mut config: payment::Config, bank: SocketAddr, dir: TempDir) -> Self {
        // Only a test that wants it sees payments taken up that it has left.
        if config.recovery_interval == payment::Config::parse_from(["payment"]).recovery_interval {
            config.recovery_interval = Duration::from_secs(3600);
        }
        let store = local_postgres::store(url(&dir, "payment.db")).await;
        config.database_url = store.parse().unwrap();
        // So that a test knows its traces by the ids it has chosen.
        let spans = Spans::new();
        let (client, payment) = serve(&config, &spans).await;
        Self { client, spans, bank, dir, store, config, payment }
    }

    /// Stops the payment service and starts it again on the same store.
    pub(crate) async fn restart(self) -> Self {
        let Self { client, spans, bank, dir, store, config, payment } = self;
        drop(client);
        payment.stop.send(()).unwrap();
        payment.task.await.unwrap();
        let (client, payment) = serve(&config, &spans).await;
        Self { client, spans, bank, dir, store, config, payment }
    }

    pub(crate) async fn charge(&self, charge: &pb::ChargeRequest) -> Result<Response<pb::ChargeResponse>, Status> {
        self.client.clone().charge(charge.clone()).await
    }

    /// Waits until the intent of `charge` is committed.
    pub(crate) async fn until_known(&self, charge: &pb::ChargeRequest) {
        // Starts no work itself: it is malformed, which is said only as long as the key is not known.
        let malformed = pb::ChargeRequest { amount: None, ..charge.clone() };
        let known = async { while self.charge(&malformed).await.unwrap_err().code() == Code::InvalidArgument {} };
        tokio::time::timeout(PATIENCE, known).await.unwrap();
    }

    pub(crate) async fn refund(&self, key: &str, payment: &str) -> Result<Response<pb::RefundResponse>, Status> {
        let refund = pb::RefundRequest { idempotency_key: key.to_owned(), payment_id: payment.to_owned() };
        self.client.clone().refund(refund).await
    }

    pub(crate) async fn payment(&self, id: &str) -> Result<pb::Payment, Status> {
        Ok(self.find(id).await?.payment.unwrap())
    }

    /// Every state that a payment was in.
    pub(crate) async fn history(&self, id: &str) -> Vec<pb::PaymentState> {
        self.find(id).await.unwrap().history.into_iter().map(|change| change.state()).collect()
    }

    /// Waits until a payment has come to that state.
    pub(crate) async fn until(&self, id: &str, state: pb::PaymentState) {
        let come = async { while self.payment(id).await.unwrap().state() != state {} };
        tokio::time::timeout(PATIENCE, come).await.unwrap_or_else(|_| panic!("{id} is not {state:?}"));
    }

    async fn find(&self, id: &str) -> Result<pb::GetPaymentResponse, Status> {
        let request = pb::GetPaymentRequest { payment_id: id.to_owned() };
        Ok(self.client.clone().get_payment(request).await?.into_inner())
    }

    /// Starts the payment service anew on the same store, as after a crash: the old one does not get to finish anything.
    pub(crate) async fn crash(mut self) -> Self {
        let (client, payment) = serve(&self.config, &self.spans).await;
        self.payment.task.abort();
        (self.client, self.payment) = (client, payment);
        self
    }

    /// A payment that is captured.
    pub(crate) async fn captured(&self) -> pb::Payment {
        payment(self.charge(&charge("tok_visa")).await)
    }

    /// The movements of money in the bank's ledger that are for `order`.
    pub(crate) async fn movements(&self, order: &str) -> Vec<String> {
        let url = format!("http://{}/v1/ledger?reference={order}", self.bank);
        let ledger: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let entries = ledger["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// The trace of a call, once all its work has ended, by what the call was answered with.
    pub(crate) async fn trace(&self, answered: &MetadataMap) -> Trace {
        self.spans.trace(answered.get("x-trace-id").unwrap().to_str().unwrap()).await
    }
}

/// A charge of 42.00 EUR for a fresh order, under a fresh key.
pub(crate) fn charge(token: &str) -> pb::ChargeRequest {
    pb::ChargeRequest {
        idempotency_key: Uuid::new_v4().to_string(),
        order_id: Uuid::new_v4().to_string(),
        amount: Some(pbt::Money { minor_units: 4200, currency_code: "EUR".to_owned() }),
        payment_token: token.to_owned(),
    }
}

/// The payment that a charge was answered with.
#[track_caller]
pub(crate) fn payment(answer: Result<Response<pb::ChargeResponse>, Status>) -> pb::Payment {
    answer.unwrap().into_inner().payment.unwrap()
}

/// Whether an answer is marked as that of an earlier call.
pub(crate) fn is_replayed(metadata: &MetadataMap) -> bool {
    metadata.get("idempotent-replayed").is_some_and(|value| value == "true")
}

/// `message` as a call of a trace with the given id.
pub(crate) fn traced<T>(message: T, trace_id: &str) -> Request<T> {
    let mut request = Request::new(message);
    let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    request
}

/// Opens a bank whose files are in `dir`.
pub(crate) fn open_bank(listener: TcpListener, mut config: bank::Config, dir: &TempDir) {
    config.database_url = url(dir, "bank.db");
    telemetry::spawn(async move { bank::serve(listener, config, std::future::pending()).await.unwrap() });
}

/// A bank that gives every request `answer`, or hangs up where that is empty. Tells the heads of the requests.
pub(crate) async fn canned_bank(answer: String) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = bind().await;
    let address = listener.local_addr().unwrap();
    let (heads, asked) = mpsc::unbounded_channel();
    telemetry::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let head = loop {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                match str::from_utf8(&request).unwrap().split_once("\r\n\r\n") {
                    // The service's bodies are JSON objects, or nothing.
                    Some((head, body)) if body.ends_with('}') || !head.contains("content-length") => {
                        break head.to_lowercase();
                    }
                    _ => {}
                }
            };
            // Neither who hears of the request nor who gets the answer has to wait for it.
            let _ = heads.send(head);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

async fn serve(config: &payment::Config, spans: &Spans) -> (PaymentServiceClient<Channel>, Served) {
    let listeners = server::Listeners { rpc: bind().await, admin: bind().await };
    let endpoint = Endpoint::from_shared(format!("http://{}", listeners.rpc.local_addr().unwrap())).unwrap();
    let telemetry = spans.service(Service::new("payment", "0.0.0"));
    let (stop, stopped) = oneshot::channel();
    let config = config.clone();
    let task = telemetry::spawn(async move {
        let stopped = async { drop(stopped.await) };
        payment::serve(listeners, config, telemetry, stopped).await.unwrap();
    });
    (PaymentServiceClient::new(endpoint.connect_lazy()), Served { stop, task })
}

async fn bind() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

fn url(dir: &TempDir, file: &str) -> String {
    format!("sqlite://{}", dir.path().join(file).display())
}
