//! `demo verify`, against a demo that is up.

use std::collections::BTreeMap;
use std::process::{ExitStatus, Output, Stdio};

use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::{Process, demo};
use crate::shop::{PATIENCE, bind, hold};
use crate::up::Up;

mod backends;

/// What verify found: of each line its outcome and its detail.
struct Verdict {
    lines: BTreeMap<String, (String, String)>,
    status: ExitStatus,
    whole: Value,
}

// === impl Verdict ===

impl Verdict {
    /// What it finds where `demo` is up.
    async fn of(demo: &Up, flags: &[&str]) -> Self {
        let output = verify(demo, &[&["--json"], flags].concat()).await;
        let whole: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let line = |line: &Value| (text(&line["name"]), (text(&line["outcome"]), text(&line["detail"])));
        Self { lines: whole["lines"].as_array().unwrap().iter().map(line).collect(), status: output.status, whole }
    }

    fn with_outcome(&self, outcome: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(_, (of_line, _))| of_line == outcome);
        lines.map(|(name, _)| name.as_str()).collect()
    }

    /// Why the line was not held.
    fn detail(&self, name: &str) -> &str {
        &self.lines[name].1
    }
}

async fn verify(up: &Up, flags: &[&str]) -> Output {
    timeout(PATIENCE, command(up, flags).output()).await.unwrap().unwrap()
}

/// `demo verify` with the demo's addresses in the environment, which a flag overrides. What is empty there is unset.
fn command(up: &Up, flags: &[&str]) -> Command {
    let mut command = demo();
    command.envs(["DEMO_PROMETHEUS", "DEMO_TEMPO", "TAIL_SAMPLE_PERCENT", "DEMO_PORT_BASE"].map(|name| (name, "")));
    for (name, member, place) in [
        ("DEMO_GATEWAY", "gateway", 0),
        ("DEMO_ORDER", "order", 0),
        ("DEMO_PAYMENT", "payment", 0),
        ("DEMO_VIEW", "collector", 2),
    ] {
        command.env(name, up.addresses[member][place].to_string());
    }
    command.arg("verify").args(flags);
    command
}

/// An address that refuses connections, for as long as the socket lives.
async fn nowhere() -> (String, TcpSocket) {
    let address = bind().await.local_addr().unwrap();
    (address.to_string(), hold(address).await)
}

const HELD: [&str; 10] = [
    "calls",
    "deadline",
    "dependencies",
    "errors and slow kept",
    "idempotent replay",
    "logs in the trace",
    "no secrets from the services",
    "one trace",
    "retry",
    "services",
];

#[tokio::test]
async fn every_promise_holds_on_a_demo_that_is_up() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    let verdict = Verdict::of(&demo, &[]).await;
    assert_eq!(verdict.with_outcome("held"), HELD, "{:#}", verdict.whole);
    assert_eq!(verdict.status.code(), Some(0));
    let [held, failed, skipped] = ["held", "failed", "skipped"].map(|outcome| verdict.whole[outcome].as_u64().unwrap());
    assert_eq!((held, failed, skipped), (10, 0, 6));
    assert!(verdict.detail("one trace").ends_with("spans, 3 services, 0 orphans"), "{:#}", verdict.whole);

    for (name, why) in [
        ("alert rules", "no --prometheus"),
        ("dashboards", "no --prometheus"),
        ("healthy share", "sampling is at 100 %"),
        ("metrics", "no --prometheus"),
        ("no secrets past the Collector", "no --collector"),
        ("same trace in Tempo", "no --tempo"),
    ] {
        assert_eq!(verdict.lines[name], ("skipped".to_owned(), why.to_owned()));
    }
    demo.interrupt().await;
}

#[tokio::test]
async fn what_does_not_hold_is_told_and_is_the_exit_code_1() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    let (nowhere, _held) = nowhere().await;
    let collector = demo.addresses["collector"][1].to_string();
    // A payment service that is not there, a collector that redacts nothing and one that samples nothing.
    let flags = ["--payment", &nowhere, "--collector", &collector, "--sample-percent", "10"];
    let verdict = Verdict::of(&demo, &flags).await;
    let failed = ["healthy share", "no secrets past the Collector", "services"];
    assert_eq!(verdict.with_outcome("failed"), failed, "{:#}", verdict.whole);
    assert_eq!(verdict.status.code(), Some(1));
    assert_eq!(verdict.detail("services"), format!("payment: nothing answers at http://{nowhere}"));
    let secrets = "the view holds card number, bearer token, e-mail address, password";
    assert!(verdict.detail("no secrets past the Collector").starts_with(secrets), "{:#}", verdict.whole);
    // On a machine that has too much to do, one or the other order is not paid in time, and not counted.
    let kept = verdict.detail("healthy share").strip_prefix("kept ").unwrap().split_once(" of ").unwrap();
    assert_eq!(kept.1.split_once(' ').unwrap(), (kept.0, "(at 10 % expected 6 to 34)"));
    demo.interrupt().await;
}

#[tokio::test]
async fn without_a_view_no_trace_is_found() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    let (nowhere, _held) = nowhere().await;
    let output = verify(&demo, &["--view", &nowhere]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("  ✓ services: gateway, order, payment: SERVING"), "{said}");
    let unanswered = format!("  ✗ one trace: nothing answers at http://{nowhere}  ");
    assert!(said.contains(&unanswered), "{said}");
    assert_eq!(said.matches("is the demo running?").count(), 1, "{said}");
    assert!(said.contains("  – same trace in Tempo: skipped: no --tempo"), "{said}");
    assert!(!said.contains('\u{1b}') && output.stderr.is_empty(), "{output:?}");
    demo.interrupt().await;
}

#[tokio::test]
async fn the_newest_orders_have_their_traces() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    let verdict = Verdict::of(&demo, &["--last", "1"]).await;
    assert_eq!(verdict.lines["newest orders"], ("held".to_owned(), "1 of 1 arrived".to_owned()));
    assert_eq!(verdict.status.code(), Some(0));

    let verdict = Verdict::of(&demo, &["--last", "2"]).await;
    assert_eq!(verdict.lines["newest orders"], ("failed".to_owned(), "the shop knows of 1 orders only".to_owned()));
    assert_eq!(verdict.status.code(), Some(1));

    for (count, code) in [("1", 0), ("2", 1)] {
        let status = unread(command(&demo, &["--last", count])).await;
        assert_eq!(status.code(), Some(code), "--last {count}, which nobody reads");
    }
    demo.interrupt().await;
}

/// How it ends when nobody reads what it says.
async fn unread(mut command: Command) -> ExitStatus {
    let mut process = Process::spawn(command.stdout(Stdio::piped()));
    drop(process.process.stdout.take());
    process.ended().await
}
