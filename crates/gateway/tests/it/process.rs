//! The gateway as a process of its own.

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use proto::gateway::v1::shop_service_client::ShopServiceClient;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;
use tonic::Response;

use crate::fake_order::FakeOrder;
use crate::stage::{PATIENCE, bind, order};

/// A gateway that runs, logging all it can.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    rpc: String,
    admin: String,
}

/// Starts a gateway on free ports.
async fn start(order: SocketAddr) -> Process {
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--order", &format!("http://{order}")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line: serde_json::Value = serde_json::from_str(&log.next_line().await.unwrap().unwrap()).unwrap();
        let address = |name: &str| line["fields"][name].as_str().map(str::to_owned);
        if let (Some(rpc), Some(admin)) = (address("rpc"), address("admin")) {
            return Process { child, log, rpc, admin };
        }
    }
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gateway"));
    program.envs(["TRACES", "LOGS", "METRICS"].map(|signal| (format!("OTEL_{signal}_EXPORTER"), "none")));
    program.env("RUST_LOG", "trace");
    program.kill_on_drop(true);
    program
}

/// What `healthcheck` ends with and says, asking the gateway whose admin port is at `admin`.
async fn healthcheck(admin: &str) -> (Option<i32>, String) {
    let mut check = program();
    check.args(["--admin-listen", admin, "healthcheck"]).env("RUST_BACKTRACE", "0");
    let Output { status, stdout, stderr } = timeout(PATIENCE, check.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn the_process_serves_until_sigterm_and_logs_no_secret() {
    let upstream = FakeOrder::start(|| Ok(Response::new(Vec::new()))).await;
    let Process { mut child, mut log, rpc, .. } = start(upstream.address).await;
    let logged = telemetry::spawn(async move {
        let mut lines = Vec::new();
        while let Some(line) = log.next_line().await.unwrap() {
            lines.push(line);
        }
        lines
    });

    let mut client = ShopServiceClient::connect(format!("http://{rpc}")).await.unwrap();
    client.place_order(order()).await.unwrap();

    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let logged = logged.await.unwrap().join("\n");
    assert!(logged.contains("draining"), "{logged}");
    assert!(!logged.contains("ada@example.com") && !logged.contains("tok_visa"), "{logged}");
}

#[tokio::test]
async fn healthcheck_succeeds_without_a_word_once_the_process_is_ready() {
    let upstream = FakeOrder::start(|| Ok(Response::new(Vec::new()))).await;
    // Its log is far shorter than what a pipe holds.
    let process = start(upstream.address).await;
    let ready = async {
        loop {
            let checked = healthcheck(&process.admin).await;
            if checked.0 == Some(0) {
                break checked;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, ready).await.unwrap(), (Some(0), String::new()));
    let everywhere = process.admin.replace("127.0.0.1", "0.0.0.0");
    assert_eq!(healthcheck(&everywhere).await, (Some(0), String::new()));
}

#[tokio::test]
async fn healthcheck_says_what_the_process_lacks() {
    let nobody = bind().await.local_addr().unwrap();
    let process = start(nobody).await;
    let (code, said) = healthcheck(&process.admin).await;
    assert_eq!(code, Some(1), "{said}");
    let expected = format!("Error: http://{}/readyz answered 503 Service Unavailable: {{", process.admin);
    assert!(said.starts_with(&expected) && said.contains("order"), "{said}");
}

#[tokio::test]
async fn healthcheck_says_that_nobody_listens() {
    let nobody = bind().await.local_addr().unwrap();
    let (code, said) = healthcheck(&nobody.to_string()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with(&format!("Error: cannot connect to http://{nobody}/readyz\n")), "{said}");
    assert!(said.contains("Connection refused"), "{said}");
}
