//! The service as a process of its own.

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use proto::order::v1::order_service_client::OrderServiceClient;
use proto::payment::v1::PaymentState;
use proto::types::v1::Customer;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::transport::Server;

use crate::fake_payment::FakePayment;
use crate::stage::{PATIENCE, bind, order};

const EMAIL: &str = "canary.mail@example.com";
const TOKEN: &str = "tok_canary_5105105105105100";

/// A service that runs, logging all it can.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    rpc: String,
    admin: String,
}

/// Starts the program on free ports.
async fn start(dir: &TempDir, payment: SocketAddr) -> Process {
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--database-url", &format!("sqlite://{}", dir.path().join("order.db").display())])
        .args(["--payment", &format!("http://{payment}")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line = log.next_line().await.unwrap().unwrap();
        let Ok(line) = serde_json::from_str::<serde_json::Value>(&line) else { panic!("no JSON: {line}") };
        let address = |name: &str| line["fields"][name].as_str().map(str::to_owned);
        if let (Some(rpc), Some(admin)) = (address("rpc"), address("admin")) {
            return Process { child, log, rpc, admin };
        }
    }
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_order"));
    program.envs(["TRACES", "LOGS", "METRICS"].map(|signal| (format!("OTEL_{signal}_EXPORTER"), "none")));
    program.env("RUST_LOG", "trace");
    program.kill_on_drop(true);
    program
}

/// What `healthcheck` ends with and says, asking the service whose admin port is at `admin`.
async fn healthcheck(admin: &str) -> (Option<i32>, String) {
    let mut check = program();
    check.args(["--admin-listen", admin, "healthcheck"]).env("RUST_BACKTRACE", "0");
    let Output { status, stdout, stderr } = timeout(PATIENCE, check.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// A server that is healthy, and nothing else.
async fn healthy() -> SocketAddr {
    let listener = bind().await;
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let serving = Server::builder().add_service(health).serve_with_incoming(TcpListenerStream::new(listener));
    telemetry::spawn(async move { serving.await.unwrap() });
    address
}

#[tokio::test]
async fn the_process_serves_until_sigterm_and_logs_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut payment = FakePayment::start().await;
    let Process { mut child, mut log, rpc, .. } = start(&dir, payment.line.address).await;
    let logged = telemetry::spawn(async move {
        let mut lines = Vec::new();
        while let Some(line) = log.next_line().await.unwrap() {
            lines.push(line);
        }
        lines
    });

    let mut client = OrderServiceClient::connect(format!("http://{rpc}")).await.unwrap();
    let mut request = order(TOKEN);
    request.customer = Some(Customer { email: EMAIL.to_owned() });
    let (answer, ()) = tokio::join!(client.place_order(request.clone()), async {
        payment.next().await.fails(Status::invalid_argument("bad"));
    });
    answer.unwrap_err();
    let (answer, ()) = tokio::join!(client.place_order(request), async {
        payment.next().await.is(PaymentState::Captured);
    });
    answer.unwrap();

    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let logged = logged.await.unwrap().join("\n");
    assert!(logged.contains("order.validated"), "{logged}");
    assert!(!logged.contains(EMAIL) && !logged.contains(TOKEN), "{logged}");
}

#[tokio::test]
async fn healthcheck_succeeds_without_a_word_once_the_process_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let Process { child: _child, mut log, admin, .. } = start(&dir, healthy().await).await;
    // Read on, or the service would wait once the pipe is full.
    telemetry::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    let ready = async {
        loop {
            let (code, said) = healthcheck(&admin).await;
            if code == Some(0) {
                break said;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, ready).await.unwrap(), "");
}

#[tokio::test]
async fn healthcheck_says_what_the_process_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = bind().await.local_addr().unwrap();
    let process = start(&dir, nobody).await;
    let (code, said) = healthcheck(&process.admin).await;
    assert_eq!(code, Some(1), "{said}");
    let expected = format!("Error: http://{}/readyz answered 503 Service Unavailable: {{", process.admin);
    assert!(said.starts_with(&expected) && said.contains("payment"), "{said}");
}

#[tokio::test]
async fn healthcheck_says_that_nobody_listens_and_no_setting() {
    let nobody = bind().await.local_addr().unwrap();
    let mut check = program();
    check.env("ORDER_DATABASE_URL", format!("postgres://ada:{TOKEN}@db/orders")).env("RUST_BACKTRACE", "0");
    check.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization={TOKEN}"));
    check.args(["healthcheck", "--url", &format!("http://{nobody}/readyz")]);
    let output = timeout(PATIENCE, check.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "{said}");
    assert!(said.starts_with(&format!("Error: cannot connect to http://{nobody}/readyz\n")), "{said}");
    assert!(said.contains("Connection refused") && !said.contains(TOKEN), "{said}");
}
