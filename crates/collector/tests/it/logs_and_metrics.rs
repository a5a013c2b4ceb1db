use collector::Config;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use serde_json::{Value, json};

use crate::collector_under_test::{start, start_with};
use crate::fixtures::{resource, span, spans_of};

fn log(trace: &str, text: &str) -> Value {
    json!({
        "timeUnixNano": "1760000000000000000",
        "severityNumber": 9,
        "severityText": "INFO",
        "body": {"stringValue": text},
        "traceId": trace,
        "spanId": if trace.is_empty() { "" } else { "00f067aa0ba902b7" },
        "attributes": [{"key": "order.item_count", "value": {"intValue": "3"}}],
    })
}

fn logs_of(service: &str, records: impl IntoIterator<Item = Value>) -> Value {
    let records: Vec<_> = records.into_iter().collect();
    let scope = json!({"scope": {"name": "order::orders"}, "logRecords": records});
    json!({"resourceLogs": [{"resource": resource(service), "scopeLogs": [scope]}]})
}

fn texts(logs: &Value) -> Vec<&str> {
    let records = logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    records.iter().map(|record| record["body"]["stringValue"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_logs_of_a_trace_are_read_beside_it() {
    let collector = start().await;
    let trace = format!("{:032x}", 0xabc);
    let export = logs_of("order", [log(&trace, "placed"), log("", "elsewhere")]);
    assert_eq!(collector.send_json("/v1/logs", &export).await, json!({}));
    // Logs may come before the spans, and make no trace by themselves.
    assert_eq!(collector.get("/api/v3/traces/abc").await.status(), 404);
    collector.send_json("/v1/traces", &spans_of("order", [span(0xabc, 1)])).await;

    assert_eq!(collector.read("/api/logs/abc").await, logs_of("order", [log(&trace, "placed")]));
    assert_eq!(texts(&collector.read("/api/logs").await), ["elsewhere"]);
    let missing = collector.get("/api/logs/abcd").await;
    assert_eq!(missing.status(), 404);
    let error = json!({"error": {"httpCode": 404, "message": "No logs found"}});
    assert_eq!(missing.json::<Value>().await.unwrap(), error);
    assert_eq!(collector.stats().await["logs"], 2);
}

#[tokio::test]
async fn logs_come_by_protobuf_and_by_grpc_as_well() {
    let collector = start().await;
    let trace = format!("{:032x}", 0xabc);
    let export =
        |text| serde_json::from_value::<ExportLogsServiceRequest>(logs_of("order", [log(&trace, text)])).unwrap();
    assert!(collector.send_protobuf("/v1/logs", &export("by protobuf")).await.is_empty());
    let answer = LogsServiceClient::new(collector.channel()).export(export("by gRPC")).await.unwrap();
    assert_eq!(answer.into_inner().partial_success, None);
    assert_eq!(texts(&collector.read("/api/logs/abc").await), ["by protobuf", "by gRPC"]);
}

#[tokio::test]
async fn a_log_with_an_invalid_trace_id_belongs_to_no_trace() {
    let collector = start().await;
    let records = ["abcd".to_owned(), "0".repeat(32)].map(|trace| log(&trace, &trace));
    collector.send_json("/v1/logs", &logs_of("order", records)).await;
    assert_eq!(texts(&collector.read("/api/logs").await), ["abcd", &"0".repeat(32)]);
}

#[tokio::test]
async fn logs_without_a_trace_are_bounded_and_push_out_no_trace() {
    let max_bytes = 100_000;
    let collector = start_with(Config { max_bytes, ..Config::default() }).await;
    collector.send_json("/v1/traces", &spans_of("order", [span(7, 1)])).await;
    assert_eq!(collector.read("/api/logs").await, json!({}));

    let records = (1..=1000).map(|number| log("", &format!("{number}")));
    assert_eq!(collector.send_json("/v1/logs", &logs_of("order", records)).await, json!({}));
    let larger_than_all = logs_of("order", [log("", &"x".repeat(max_bytes))]);
    let answer = collector.send_json("/v1/logs", &larger_than_all).await;
    assert_eq!(answer["partialSuccess"]["rejectedLogRecords"], "1");

    let stats = collector.stats().await;
    assert!(stats["bytes"].as_u64().unwrap() <= max_bytes as u64 / 5, "{stats}");
    assert_eq!(stats["logs"].as_u64().unwrap() + stats["evicted"]["logs"].as_u64().unwrap(), 1000);
    assert_eq!(texts(&collector.read("/api/logs").await).last(), Some(&"1000"));
    collector.read("/api/v3/traces/7").await;
}

#[tokio::test]
async fn the_logs_of_a_trace_are_bounded_and_go_with_it() {
    let max_bytes = 100_000;
    let collector = start_with(Config { max_bytes, max_spans: 4, ..Config::default() }).await;
    let trace = format!("{:032x}", 7);
    let records = (1..=1000).map(|number| log(&trace, &format!("{number}")));
    let answer = collector.send_json("/v1/logs", &logs_of("order", records)).await;
    let rejected: u64 = answer["partialSuccess"]["rejectedLogRecords"].as_str().unwrap().parse().unwrap();
    let stats = collector.stats().await;
    assert_eq!(stats["logs"], 1000 - rejected);
    assert_eq!(stats["rejected"]["logs"], rejected);

    collector.send_json("/v1/traces", &spans_of("order", (1..=5).map(|trace| span(100 + trace, 1)))).await;
    assert_eq!(collector.get("/api/logs/7").await.status(), 404);
    let stats = collector.stats().await;
    assert_eq!(stats["evicted"], json!({"traces": 2, "spans": 1, "logs": 1000 - rejected}));
    assert_eq!(stats["logs"], 0);
}

#[tokio::test]
async fn data_points_of_every_kind_are_counted_by_service_and_name() {
    let collector = start().await;
    let points = |count| json!({"dataPoints": vec![json!({"timeUnixNano": "1"}); count]});
    let metrics = json!([
        {"name": "queue.size", "gauge": points(1)},
        {"name": "shop.orders", "sum": points(2)},
        {"name": "rpc.server.call.duration", "histogram": points(3)},
        {"name": "rpc.client.call.duration", "exponentialHistogram": points(4)},
        {"name": "old.summary", "summary": points(5)},
        {"name": "empty"},
    ]);
    let export = json!({"resourceMetrics": [{"resource": resource("order"), "scopeMetrics": [{"metrics": metrics}]}]});
    let message: ExportMetricsServiceRequest = serde_json::from_value(export.clone()).unwrap();
    assert_eq!(collector.send_json("/v1/metrics", &export).await, json!({}));
    assert!(collector.send_protobuf("/v1/metrics", &message).await.is_empty());
    MetricsServiceClient::new(collector.channel()).export(message).await.unwrap();

    let stats = collector.stats().await;
    assert_eq!(stats["metricPoints"], 3 * 15);
    let counted = json!({
        "queue.size": 3, "shop.orders": 6, "rpc.server.call.duration": 9, "rpc.client.call.duration": 12,
        "old.summary": 15, "empty": 0,
    });
    assert_eq!(stats["metrics"], json!({"order": counted}));
}

#[tokio::test]
async fn metrics_in_json_are_refused_when_their_points_cannot_be_read() {
    let collector = start().await;
    let metrics = |point: Value| {
        let metric = json!({"name": "queue.size", "gauge": {"dataPoints": [point]}});
        json!({"resourceMetrics": [{"resource": resource("order"), "scopeMetrics": [{"metrics": [metric]}]}]})
    };
    let not_finite = json!([{"key": "double", "value": {"doubleValue": "NaN"}}]);
    collector.send_json("/v1/metrics", &metrics(json!({"attributes": not_finite, "asDouble": "-Infinity"}))).await;
    let malformed = metrics(json!({"timeUnixNano": "now"})).to_string();
    let answer = collector.post("/v1/metrics", "application/json", malformed).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let message = answer.json::<Value>().await.unwrap()["message"].to_string();
    assert!(message.contains("malformed body: invalid digit found in string at line 1"), "{message}");
    assert_eq!(collector.stats().await["metrics"], json!({"order": {"queue.size": 1}}));
}

#[tokio::test]
async fn endless_metric_names_are_counted_but_not_kept() {
    let collector = start().await;
    let metrics: Vec<_> = (0..1500).map(|n| json!({"name": format!("m{n}"), "gauge": {"dataPoints": [{}]}})).collect();
    let export = json!({"resourceMetrics": [{"resource": resource("order"), "scopeMetrics": [{"metrics": metrics}]}]});
    collector.send_json("/v1/metrics", &export).await;
    let stats = collector.stats().await;
    assert_eq!(stats["metricPoints"], 1500);
    assert_eq!(stats["metrics"]["order"].as_object().unwrap().len(), 1000);
}
