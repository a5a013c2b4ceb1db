use collector::Config;
use serde_json::{Value, json};

use crate::collector_under_test::{Collector, start, start_with};
use crate::fixtures::{span, spans_of, with};

/// Sends one span for each of the traces numbered so.
async fn send_traces(collector: &Collector, traces: impl IntoIterator<Item = u128>, size: usize) {
    for trace in traces {
        let filler = json!({"attributes": [{"key": "filler", "value": {"stringValue": "x".repeat(size)}}]});
        collector.send_json("/v1/traces", &spans_of("order", [with(span(trace, 1), filler)])).await;
    }
}

async fn is_kept(collector: &Collector, trace: u128) -> bool {
    collector.get(&format!("/api/v3/traces/{trace:x}")).await.status() == 200
}

#[tokio::test]
async fn the_oldest_traces_go_when_there_are_too_many_spans() {
    let collector = start_with(Config { max_spans: 8, ..Config::default() }).await;
    send_traces(&collector, 1..=10, 10).await;

    assert!(!is_kept(&collector, 1).await);
    assert!(!is_kept(&collector, 2).await);
    assert!(is_kept(&collector, 3).await);
    assert!(is_kept(&collector, 10).await);
    let stats = collector.stats().await;
    assert_eq!((&stats["spans"], &stats["traces"]), (&json!(8), &json!(8)));
    assert_eq!(stats["evicted"], json!({"traces": 2, "spans": 2, "logs": 0}));
}

#[tokio::test]
async fn the_oldest_traces_go_when_they_take_too_many_bytes() {
    let max_bytes = 100_000;
    let collector = start_with(Config { max_bytes, ..Config::default() }).await;
    send_traces(&collector, 1..=200, 2_000).await;

    let stats = collector.stats().await;
    let kept = stats["spans"].as_u64().unwrap();
    assert!(stats["bytes"].as_u64().unwrap() <= max_bytes as u64, "{stats}");
    assert!((30..50).contains(&kept), "{stats}");
    assert_eq!(stats["evicted"]["spans"], json!(200 - kept));
    assert!(is_kept(&collector, 200).await);
    assert!(is_kept(&collector, 201 - u128::from(kept)).await);
    assert!(!is_kept(&collector, 200 - u128::from(kept)).await);
}

#[tokio::test]
async fn one_trace_has_a_quarter_of_the_spans_at_most() {
    let collector = start_with(Config { max_spans: 40, ..Config::default() }).await;
    send_traces(&collector, 1..=5, 10).await;
    let answer = collector.send_json("/v1/traces", &spans_of("order", (1..=1000).map(|id| span(99, id)))).await;

    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "990");
    assert!(is_kept(&collector, 1).await);
    let stats = collector.stats().await;
    assert_eq!((&stats["spans"], &stats["rejected"]["spans"]), (&json!(15), &json!(990)));
}

#[tokio::test]
async fn one_trace_has_a_quarter_of_the_bytes_at_most() {
    let max_bytes = 100_000;
    let collector = start_with(Config { max_bytes, ..Config::default() }).await;
    send_traces(&collector, [1], 10).await;
    send_traces(&collector, [2], 90_000).await;
    let filler = json!({"attributes": [{"key": "filler", "value": {"stringValue": "x".repeat(2_000)}}]});
    let spans = (1..=50).map(|id| with(span(3, id), filler.clone()));
    collector.send_json("/v1/traces", &spans_of("order", spans)).await;

    let stats = collector.stats().await;
    assert!(is_kept(&collector, 1).await);
    assert!(!is_kept(&collector, 2).await);
    assert!(is_kept(&collector, 3).await);
    assert!(stats["bytes"].as_u64().unwrap() < max_bytes as u64 / 3, "{stats}");
    assert_eq!(stats["evicted"]["spans"], 0);
}

#[tokio::test]
async fn a_large_resource_counts_as_well() {
    let max_bytes = 100_000;
    let collector = start_with(Config { max_bytes, ..Config::default() }).await;
    for trace in 1..=50 {
        let service = format!("{trace}{}", "x".repeat(5_000));
        collector.send_json("/v1/traces", &spans_of(&service, [span(trace, 1)])).await;
    }
    let stats = collector.stats().await;
    assert!(stats["bytes"].as_u64().unwrap() <= max_bytes as u64, "{stats}");
    assert!(stats["spans"].as_u64().unwrap() < 10, "{stats}");
}

#[tokio::test]
async fn a_span_that_comes_twice_is_kept_once() {
    let collector = start().await;
    for name in ["first", "second"] {
        let again = with(span(7, 1), json!({"name": name}));
        collector.send_json("/v1/traces", &spans_of("order", [again, span(7, 2)])).await;
    }
    let trace = collector.read("/api/v3/traces/7").await;
    let spans = trace["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let names: Vec<&Value> = spans.iter().map(|span| &span["name"]).collect();
    assert_eq!(names, ["first", "span 2"]);
    let stats = collector.stats().await;
    assert_eq!((&stats["spans"], &stats["duplicateSpans"]), (&json!(2), &json!(2)));
}
