//! The service as a process of its own.

use std::process::{Output, Stdio};

use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tonic::Code;

use crate::stage::PATIENCE;

/// A service that runs.
struct Process {
    child: Child,
    rpc: String,
    admin: String,
}

/// Starts the program on free ports.
async fn start(dir: &TempDir) -> Process {
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--database-url", &database_url(dir)])
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let listening = async {
        loop {
            let line: Value = serde_json::from_str(&log.next_line().await.unwrap().unwrap()).unwrap();
            if line["message"] == "listening" {
                break ["rpc", "admin"].map(|port| line["fields"][port].as_str().unwrap().to_owned());
            }
        }
    };
    let [rpc, admin] = timeout(PATIENCE, listening).await.unwrap();
    Process { child, rpc, admin }
}

fn database_url(dir: &TempDir) -> String {
    format!("sqlite://{}", dir.path().join("payment.db").display())
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_payment"));
    program.envs(["TRACES", "LOGS", "METRICS"].map(|signal| (format!("OTEL_{signal}_EXPORTER"), "none")));
    program.kill_on_drop(true);
    program
}

/// What `healthcheck` ends with and says, asking the service whose admin port is at `admin`.
async fn healthcheck(admin: &str) -> (Option<i32>, String) {
    let mut check = program();
    check.args(["--admin-listen", admin, "healthcheck"]).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "0");
    let Output { status, stdout, stderr } = timeout(PATIENCE, check.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// Waits until `healthcheck` succeeds, which it does without a word.
async fn until_ready(admin: &str) {
    let ready = async {
        loop {
            let (code, said) = healthcheck(admin).await;
            if code == Some(0) {
                break said;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, ready).await.unwrap(), "");
}

#[tokio::test]
async fn the_process_serves_until_sigterm_and_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    let Process { mut child, rpc, admin } = start(&dir).await;
    until_ready(&admin).await;

    let mut client = PaymentServiceClient::connect(format!("http://{rpc}")).await.unwrap();
    let request = pb::GetPaymentRequest { payment_id: "0190f0c8-0000-7000-8000-000000000000".to_owned() };
    assert_eq!(client.get_payment(request).await.unwrap_err().code(), Code::NotFound);

    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(0));
}

#[tokio::test]
async fn healthcheck_says_what_the_process_lacks_and_that_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let Process { mut child, admin, .. } = start(&dir).await;
    until_ready(&admin).await;
    let mut ledger = SqliteConnection::connect(&database_url(&dir)).await.unwrap();
    sqlx::query("ALTER TABLE payments RENAME TO lost").execute(&mut ledger).await.unwrap();
    let unready = async {
        loop {
            // The checks have their own pace.
            let checked = healthcheck(&admin).await;
            if checked.1.contains("the ledger cannot be read") {
                break checked;
            }
        }
    };
    let (code, said) = timeout(PATIENCE, unready).await.unwrap();
    assert_eq!(code, Some(1), "{said}");
    let expected = format!("Error: http://{admin}/readyz answered 503 Service Unavailable: {{");
    assert!(said.starts_with(&expected), "{said}");

    child.kill().await.unwrap();
    let (code, said) = healthcheck(&admin).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with(&format!("Error: cannot connect to http://{admin}/readyz\n")), "{said}");
}
