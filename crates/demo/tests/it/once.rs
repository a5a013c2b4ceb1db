//! `demo once`, as anybody would run it.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;
use telemetry::testing::{SpanRecord, Trace};
use tokio::time::timeout;

use crate::collected::{Collector, spans};
use crate::process::demo;
use crate::shop::PATIENCE;

#[tokio::test]
async fn it_writes_one_whole_trace_as_otlp_json_and_exits_with_0() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("trace.json"));
    let run = demo().args(["once", "--data"]).arg(&data).arg("--out").arg(&file).output();
    let output = timeout(PATIENCE, run).await.unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(demo::PAID_ORDER), "{said}");

    let document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let spans = spans(&document);
    assert_one_whole_trace(&spans);
    Trace::new(spans.clone()).assert_tree(demo::PAID_ORDER);
    assert_a_receiver_takes_it(&document, &spans).await;
}

#[track_caller]
fn assert_one_whole_trace(spans: &[SpanRecord]) {
    let traces: HashSet<_> = spans.iter().map(|span| &span.trace_id).collect();
    assert_eq!(traces.len(), 1);
    let services: BTreeSet<_> = spans.iter().map(|span| span.service.as_str()).collect();
    assert_eq!(Vec::from_iter(services), ["gateway", "order", "payment"]);

    let roots: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_none()).collect();
    let [root] = roots[..] else { panic!("{} roots", roots.len()) };
    assert_eq!((root.service.as_str(), root.kind.as_str()), ("gateway", "SERVER"));
    let ids: HashSet<_> = spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), spans.len());
    assert!(spans.iter().filter_map(|span| span.parent_span_id.as_ref()).all(|parent| ids.contains(parent)));

    for call in spans.iter().filter(|span| span.kind == "CLIENT" && span.attribute("rpc.system.name").is_some()) {
        let below = spans.iter().filter(|span| span.parent_span_id.as_ref() == Some(&call.span_id));
        let served: Vec<_> = below.map(|span| (span.kind.as_str(), span.name.as_str())).collect();
        assert_eq!(served, [("SERVER", call.name.as_str())]);
    }
}

/// Sends the file to a collector, as `curl` would.
async fn assert_a_receiver_takes_it(document: &Value, spans: &[SpanRecord]) {
    let collector = Collector::start().await;
    let url = format!("http://{}/v1/traces", collector.http);
    let answer = reqwest::Client::new().post(url).json(document).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    let received = collector.trace(&spans[0].trace_id).await;
    assert_eq!(received.spans().len(), spans.len());
    received.assert_tree(demo::PAID_ORDER);
}

#[tokio::test]
async fn it_refuses_a_folder_that_another_demo_uses() {
    let dir = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(dir.path().join("lock")).unwrap();
    lock.lock().unwrap();
    let run = demo().args(["once", "--data"]).arg(dir.path()).output();
    let output = timeout(PATIENCE, run).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("in use by another demo"), "{said}");
}

#[tokio::test]
async fn it_starts_nothing_when_the_trace_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("nowhere/trace.json"));
    let run = demo().args(["once", "--data"]).arg(&data).arg("--out").arg(&file).output();
    let output = timeout(PATIENCE, run).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("failed to write") && !data.exists(), "{said}");
}
