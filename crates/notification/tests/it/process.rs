//! The service as a process of its own.

use std::process::Stdio;

use proto::notification::v1::notification_service_client::NotificationServiceClient;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::stage::event;

#[tokio::test]
async fn the_process_serves_until_sigterm_and_logs_no_address() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_notification"))
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--database-url"])
        .arg(format!("sqlite://{}", dir.path().join("notification.db").display()))
        .envs(["TRACES", "LOGS", "METRICS"].map(|signal| (format!("OTEL_{signal}_EXPORTER"), "none")))
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let rpc = loop {
        let line: serde_json::Value = serde_json::from_str(&log.next_line().await.unwrap().unwrap()).unwrap();
        if let Some(rpc) = line["fields"]["rpc"].as_str() {
            break rpc.to_owned();
        }
    };
    let logged = telemetry::spawn(async move {
        let mut lines = Vec::new();
        while let Some(line) = log.next_line().await.unwrap() {
            lines.push(line);
        }
        lines.join("\n")
    });
    let mut client = NotificationServiceClient::connect(format!("http://{rpc}")).await.unwrap();
    client.deliver(event()).await.unwrap();
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let logged = logged.await.unwrap();
    assert!(logged.contains("order.notified") && !logged.contains("canary.mail"), "{logged}");
}
