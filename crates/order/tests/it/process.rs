//! The service as a process of its own.

use std::process::Stdio;

use proto::order::v1::order_service_client::OrderServiceClient;
use proto::payment::v1::PaymentState;
use proto::types::v1::Customer;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tonic::Status;

use crate::fake_payment::FakePayment;
use crate::stage::order;

const EMAIL: &str = "canary.mail@example.com";
const TOKEN: &str = "tok_canary_5105105105105100";

/// Starts the program on free ports, logging all it can.
fn start(dir: &TempDir, payment: &FakePayment) -> Child {
    Command::new(env!("CARGO_BIN_EXE_order"))
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--database-url", &format!("sqlite://{}", dir.path().join("order.db").display())])
        .args(["--payment", &format!("http://{}", payment.line.address)])
        .env("OTEL_TRACES_EXPORTER", "none")
        .env("OTEL_LOGS_EXPORTER", "none")
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Reads the log up to the line that names the address.
async fn address(log: &mut Lines<BufReader<ChildStderr>>) -> String {
    loop {
        let line = log.next_line().await.unwrap().unwrap();
        let Ok(line) = serde_json::from_str::<serde_json::Value>(&line) else { panic!("no JSON: {line}") };
        if let Some(address) = line["rpc"].as_str().or_else(|| line["fields"]["rpc"].as_str()) {
            return address.to_owned();
        }
    }
}

#[tokio::test]
async fn the_process_serves_until_sigterm_and_logs_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut payment = FakePayment::start().await;
    let mut process = start(&dir, &payment);
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let address = address(&mut log).await;
    let logged = telemetry::spawn(async move {
        let mut lines = Vec::new();
        while let Some(line) = log.next_line().await.unwrap() {
            lines.push(line);
        }
        lines
    });

    let mut client = OrderServiceClient::connect(format!("http://{address}")).await.unwrap();
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

    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(process.wait().await.unwrap().code(), Some(0));
    let logged = logged.await.unwrap().join("\n");
    assert!(logged.contains("order.validated"), "{logged}");
    assert!(!logged.contains(EMAIL) && !logged.contains(TOKEN), "{logged}");
}
