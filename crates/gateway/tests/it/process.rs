//! The gateway as a process of its own.

use std::process::Stdio;

use proto::gateway::v1::shop_service_client::ShopServiceClient;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tonic::Response;

use crate::fake_order::FakeOrder;
use crate::stage::order;

#[tokio::test]
async fn the_process_serves_until_sigterm_and_logs_no_secret() {
    let upstream = FakeOrder::start(|| Ok(Response::new(Vec::new()))).await;
    let mut process = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--order", &format!("http://{}", upstream.address)])
        .env("OTEL_TRACES_EXPORTER", "none")
        .env("OTEL_LOGS_EXPORTER", "none")
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let address = loop {
        let line: serde_json::Value = serde_json::from_str(&log.next_line().await.unwrap().unwrap()).unwrap();
        if let Some(address) = line["rpc"].as_str().or_else(|| line["fields"]["rpc"].as_str()) {
            break address.to_owned();
        }
    };
    let logged = telemetry::spawn(async move {
        let mut lines = Vec::new();
        while let Some(line) = log.next_line().await.unwrap() {
            lines.push(line);
        }
        lines
    });

    let mut client = ShopServiceClient::connect(format!("http://{address}")).await.unwrap();
    client.place_order(order()).await.unwrap();

    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(process.wait().await.unwrap().code(), Some(0));
    let logged = logged.await.unwrap().join("\n");
    assert!(logged.contains("draining"), "{logged}");
    assert!(!logged.contains("ada@example.com") && !logged.contains("tok_visa"), "{logged}");
}
