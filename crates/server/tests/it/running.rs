//! A server that runs, with a payment service whose calls a test can hold.

use std::net::SocketAddr;
use std::time::Duration;

use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use proto::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use server::{Check, Config, Listeners};
use telemetry::testing::Spans;
use telemetry::{Environment, TrustTrace};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

/// The name of the service that runs.
pub(crate) const NAME: &str = "shop.payment.v1.PaymentService";

/// Longer than any test runs: for a limit that is not the one in question.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// A server on free ports.
pub(crate) struct Running {
    pub(crate) rpc: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) payments: Payments,
    pub(crate) spans: Spans,
    shutdown: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), server::Error>>,
}

/// A payment service whose calls wait while they are held.
#[derive(Clone)]
pub(crate) struct Payments {
    held: watch::Sender<bool>,
    inside: watch::Sender<usize>,
    /// What the last call had left when it came in.
    pub(crate) left: watch::Sender<Option<Duration>>,
}

/// Starts a server with `config` and `checks`.
pub(crate) async fn start(config: Config, checks: Vec<Check>) -> Running {
    start_in(&Environment::default(), config, checks).await
}

/// Starts one whose telemetry is as `environment` says.
pub(crate) async fn start_in(environment: &Environment, config: Config, checks: Vec<Check>) -> Running {
    let rpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (rpc_address, admin_address) = (rpc.local_addr().unwrap(), admin.local_addr().unwrap());

    let payments =
        Payments { held: watch::Sender::new(false), inside: watch::Sender::new(0), left: watch::Sender::new(None) };
    let service = server::Service {
        trust: TrustTrace::None,
        name: NAME,
        descriptors: proto::payment::DESCRIPTORS,
        routes: Routes::new(PaymentServiceServer::new(payments.clone())),
        checks,
    };
    let spans = Spans::new();
    let telemetry = spans.service_in(telemetry::Service::new("payment", "0.0.0"), environment);
    let (shutdown, told) = oneshot::channel();
    let served = telemetry::spawn(async move {
        let told = async { told.await.unwrap_or(()) };
        server::serve(Listeners { rpc, admin }, service, &config, &telemetry, told).await
    });
    Running { rpc: rpc_address, admin: admin_address, payments, spans, shutdown: Some(shutdown), served }
}

/// What `future` gives, which must not take long.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing happened")
}

/// Asks again and again until `done`.
pub(crate) async fn until(mut done: impl AsyncFnMut() -> bool) {
    soon(async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

// === impl Running ===

impl Running {
    /// A connection of its own, made at its first call.
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.rpc)).unwrap().connect_lazy()
    }

    pub(crate) fn client(&self) -> PaymentServiceClient<Channel> {
        PaymentServiceClient::new(self.channel())
    }

    /// A call over a connection of its own, running beside the test.
    pub(crate) fn call(&self) -> JoinHandle<Result<(), Status>> {
        call(self.client())
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    /// Drops the server's future where it stands.
    pub(crate) fn abandon(&self) {
        self.served.abort();
    }

    /// What `serve` returned.
    pub(crate) async fn ended(self) -> Result<(), server::Error> {
        soon(self.served).await.unwrap()
    }
}

/// A call that runs beside the test.
pub(crate) fn call(mut client: PaymentServiceClient<Channel>) -> JoinHandle<Result<(), Status>> {
    telemetry::spawn(async move { get(&mut client).await })
}

/// One call.
pub(crate) async fn get(client: &mut PaymentServiceClient<Channel>) -> Result<(), Status> {
    soon(client.get_payment(pb::GetPaymentRequest::default())).await.map(drop)
}

// === impl Payments ===

impl Payments {
    /// Holds every call from now on.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets the held calls go on.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    /// How many calls are in the handler.
    pub(crate) fn inside(&self) -> usize {
        *self.inside.borrow()
    }

    /// Waits until that many are.
    pub(crate) async fn until_inside(&self, calls: usize) {
        soon(self.inside.subscribe().wait_for(|&inside| inside == calls)).await.unwrap();
    }
}

/// Counts a call for as long as its handler exists.
struct Inside(watch::Sender<usize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

#[tonic::async_trait]
impl PaymentService for Payments {
    async fn charge(&self, _: Request<pb::ChargeRequest>) -> Result<Response<pb::ChargeResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn refund(&self, _: Request<pb::RefundRequest>) -> Result<Response<pb::RefundResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_payment(&self, _: Request<pb::GetPaymentRequest>) -> Result<Response<pb::GetPaymentResponse>, Status> {
        self.left.send_replace(telemetry::Deadline::current().map(|deadline| deadline.remaining()));
        self.inside.send_modify(|calls| *calls += 1);
        let _inside = Inside(self.inside.clone());
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        Ok(Response::new(Default::default()))
    }
}
