//! The service as a process of its own.

use std::process::Stdio;

use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use tonic::Code;

use crate::stage::PATIENCE;

#[tokio::test]
async fn the_process_serves_until_sigterm_and_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_payment"))
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--database-url", &format!("sqlite://{}", dir.path().join("payment.db").display())])
        .env("OTEL_TRACES_EXPORTER", "none")
        .env("OTEL_LOGS_EXPORTER", "none")
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let listening = async {
        loop {
            let line: Value = serde_json::from_str(&log.next_line().await.unwrap().unwrap()).unwrap();
            if line["message"] == "listening" {
                break ["rpc", "admin"].map(|port| line["fields"][port].as_str().unwrap().to_owned());
            }
        }
    };
    let [rpc, admin] = timeout(PATIENCE, listening).await.unwrap();
    let ready = async { while !reqwest::get(format!("http://{admin}/readyz")).await.unwrap().status().is_success() {} };
    timeout(PATIENCE, ready).await.unwrap();

    let mut client = PaymentServiceClient::connect(format!("http://{rpc}")).await.unwrap();
    let request = pb::GetPaymentRequest { payment_id: "0190f0c8-0000-7000-8000-000000000000".to_owned() };
    assert_eq!(client.get_payment(request).await.unwrap_err().code(), Code::NotFound);

    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(timeout(PATIENCE, process.wait()).await.unwrap().unwrap().code(), Some(0));
}
