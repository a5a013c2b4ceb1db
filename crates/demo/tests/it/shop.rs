//! The whole shop in this process, for one test: bank, payment, order and gateway on free ports and files of their own.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use clap::Parser;
use proto::gateway::v1 as pb;
use serde_json::Value;
use telemetry::testing::{Spans, Trace};
use telemetry::{Service, Telemetry, TrustTrace};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::{IntoRequest, Response, Status};

use crate::calls::{Caller, caller, trace_headers};
use crate::recorder::Recorder;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One server of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Gateway,
    Order,
    Payment,
    Bank,
}

/// The running shop.
pub(crate) struct Shop {
    pub(crate) client: Caller,
    pub(crate) spans: Spans,
    pub(crate) dir: TempDir,
    /// Sees what payment is asked, if the shop is recorded.
    pub(crate) before_payment: Recorder,
    /// Sees what the bank is asked, if the shop is recorded.
    pub(crate) before_bank: Recorder,
    /// Callers before those they call.
    running: Vec<Running>,
    /// Keep the ports of killed members from another test.
    graves: Vec<TcpSocket>,
}

/// What a test may want otherwise. Addresses and files are not among it.
pub(crate) struct Settings {
    pub(crate) bank: bank::Config,
    pub(crate) payment: payment::Config,
    pub(crate) order: order::Config,
    pub(crate) gateway: gateway::Config,
    /// Whether payment and the bank are called through recorders.
    pub(crate) recorded: bool,
}

struct Running {
    member: Member,
    addresses: Vec<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

// === impl Settings ===

impl Settings {
    /// The defaults, but the gateway continues its caller's trace and everyone answers reflection, as in the demo.
    fn new() -> Self {
        let server = server::Config { reflection: true, ..server::Config::default() };
        Self {
            bank: bank::Config::parse_from(["bank"]),
            payment: payment::Config { server: server.clone(), ..payment::Config::parse_from(["payment"]) },
            order: order::Config { server: server.clone(), ..order::Config::parse_from(["order"]) },
            gateway: gateway::Config {
                trust_trace: TrustTrace::All,
                server,
                ..gateway::Config::parse_from(["gateway"])
            },
            recorded: false,
        }
    }
}

// === impl Shop ===

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// A shop with recorders before payment and the bank.
    pub(crate) async fn recorded() -> Self {
        Self::open_with(|settings| settings.recorded = true).await
    }

    pub(crate) async fn open_with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new();
        adjust(&mut settings);
        let Settings { mut bank, mut payment, mut order, mut gateway, recorded } = settings;
        let (dir, spans) = (tempfile::tempdir().unwrap(), Spans::new());
        let telemetry = |name| spans.service(Service::new(name, "0.0.0"));

        bank.database_url = database(&dir, "bank.db");
        let bank = Running::bank(bind().await, bank);
        let before_bank = Recorder::before(bank.address()).await;

        payment.bank = url(if recorded { before_bank.address } else { bank.address() }).parse().unwrap();
        payment.database_url = database(&dir, "payment.db").parse().unwrap();
        let payment = Running::rpc(Member::Payment, telemetry("payment"), |listeners, telemetry, stop| async {
            payment::serve(listeners, payment, telemetry, stop).await.unwrap();
        });
        let payment = payment.await;
        let before_payment = Recorder::before(payment.address()).await;

        order.payment = url(if recorded { before_payment.address } else { payment.address() }).parse().unwrap();
        order.database_url = database(&dir, "order.db").parse().unwrap();
        let order = Running::rpc(Member::Order, telemetry("order"), |listeners, telemetry, stop| async {
            order::serve(listeners, order, telemetry, stop).await.unwrap();
        });
        let order = order.await;

        gateway.order = url(order.address()).parse().unwrap();
        let gateway = Running::rpc(Member::Gateway, telemetry("gateway"), |listeners, telemetry, stop| async {
            gateway::serve(listeners, gateway, telemetry, stop).await.unwrap();
        });
        let gateway = gateway.await;
        Self {
            client: caller(gateway.address()),
            spans,
            dir,
            before_payment,
            before_bank,
            running: vec![gateway, order, payment, bank],
            graves: Vec::new(),
        }
    }

    /// Stops every server in order, each after its last call has ended.
    pub(crate) async fn close(self) {
        drop(self.client);
        for running in self.running {
            let Running { member, stop, task, .. } = running;
            stop.send(()).unwrap_or_else(|()| panic!("{member:?} has ended before it was stopped"));
            tokio::time::timeout(PATIENCE, task).await.unwrap_or_else(|_| panic!("{member:?} did not stop")).unwrap();
        }
    }

    /// Where a server that runs is called.
    pub(crate) fn address(&self, member: Member) -> SocketAddr {
        self.running.iter().find(|running| running.member == member).unwrap().address()
    }

    /// Ends a server as `kill -9` would. Its ports then refuse, for as long as the shop is open.
    pub(crate) async fn kill(&mut self, member: Member) {
        let place = self.running.iter().position(|running| running.member == member).unwrap();
        let killed = self.running.remove(place);
        killed.task.abort();
        assert!(killed.task.await.unwrap_err().is_cancelled());
        for address in killed.addresses {
            self.graves.push(hold(address).await);
        }
    }

    /// Places an order. Whatever the answer is, its headers must name its trace.
    pub(crate) async fn place(
        &self,
        order: impl IntoRequest<pb::PlaceOrderRequest>,
    ) -> Result<Response<pb::PlaceOrderResponse>, Status> {
        let answer = self.client.clone().place_order(order).await;
        trace_headers(answer.as_ref().map_or_else(Status::metadata, Response::metadata));
        answer
    }

    /// The movements of money in the bank's own ledger that are for the order.
    pub(crate) async fn movements(&self, order: &str) -> Vec<String> {
        let url = format!("http://{}/v1/ledger?reference={order}", self.address(Member::Bank));
        let ledger: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let entries = ledger["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// The trace that an answer names, once all its work has ended. Its headers must name the gateway's span of the call.
    pub(crate) async fn trace(&self, answered: &MetadataMap) -> Trace {
        let (trace_id, span_id) = trace_headers(answered);
        let trace = self.spans.trace(&trace_id).await;
        let named = trace.spans().iter().find(|span| span.span_id == span_id);
        let named = named.unwrap_or_else(|| panic!("no span {span_id} in\n{}", trace.render(&[])));
        assert_eq!((named.service.as_str(), named.kind.as_str()), ("gateway", "SERVER"));
        trace
    }

    /// The traces of all calls that were served.
    pub(crate) async fn traces_of_calls(&self) -> Vec<Trace> {
        let served = |trace: &Trace| trace.spans().iter().any(|span| span.kind == "SERVER");
        self.spans.traces().await.into_iter().filter(served).collect()
    }
}

// === impl Running ===

impl Running {
    fn bank(listener: TcpListener, config: bank::Config) -> Self {
        let address = listener.local_addr().unwrap();
        Self::start(Member::Bank, vec![address], |stop| async { bank::serve(listener, config, stop).await.unwrap() })
    }

    /// A gRPC service, with its admin port.
    async fn rpc<F>(
        member: Member,
        telemetry: Telemetry,
        serve: impl FnOnce(server::Listeners, Telemetry, Stop) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listeners = server::Listeners { rpc: bind().await, admin: bind().await };
        let addresses = [&listeners.rpc, &listeners.admin].map(|listener| listener.local_addr().unwrap());
        Self::start(member, addresses.into(), |stop| serve(listeners, telemetry, stop))
    }

    fn start<F>(member: Member, addresses: Vec<SocketAddr>, serve: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let task = telemetry::spawn(serve(Box::pin(async { drop(stopped.await) })));
        Self { member, addresses, stop, task }
    }

    fn address(&self) -> SocketAddr {
        self.addresses[0]
    }
}

pub(crate) async fn bind() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

/// Takes an address and listens nowhere: whoever connects is refused, and nobody else is given it.
pub(crate) async fn hold(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    // Connections of the one before may still linger there.
    socket.set_reuseaddr(true).unwrap();
    let bound = async {
        // So may its listener: in a process that another test is just starting, until that is a program of its own.
        while let Err(error) = socket.bind(address) {
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, bound).await.unwrap();
    socket.set_reuseaddr(false).unwrap();
    socket
}

pub(crate) fn database(dir: &TempDir, file: &str) -> String {
    format!("sqlite://{}", dir.path().join(file).display())
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
