use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value::{self, *};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use serde_json::json;

use super::*;

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

/// What such a request is as it arrives.
async fn sent(signal: Signal, request: &impl Message) -> serde_json::Value {
    let collector = HttpCollector::answering([]);
    let endpoint = format!("http://{}", collector.serve().await);
    let sender = sender_of(signal, &[("ENDPOINT", &endpoint), ("PROTOCOL", "http/json")]);
    sender.attempt(request.encode_to_vec().into()).await.unwrap();
    serde_json::from_slice(&collector.received()[0].body).unwrap()
}

/// Of an object, what is neither empty nor 0: a collector takes that for the same as nothing.
fn said(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::Object(fields) => {
            let said = fields.iter().map(|(name, value)| (name.clone(), said(value)));
            let is_something =
                |value: &Value| ![json!(""), json!(0), json!("0"), json!(false), json!([])].contains(value);
            // A value is told by its name, and may be empty.
            said.filter(|(name, value)| name.ends_with("Value") || is_something(value)).collect()
        }
        Value::Array(values) => values.iter().map(said).collect(),
        other => other.clone(),
    }
}

/// A span with a value in nearly every field.
fn span_of_everything() -> Span {
    let values = ArrayValue { values: vec![any(StringValue("a".to_owned())), AnyValue { value: None }] };
    let pairs = KeyValueList { values: vec![attribute("b", BoolValue(false))] };
    Span {
        trace_id: (0xa0..0xb0).collect(),
        span_id: vec![0xab; 8],
        parent_span_id: vec![0x01; 8],
        trace_state: "a=b".to_owned(),
        flags: 0x101,
        name: "é".to_owned(),
        kind: 2,
        start_time_unix_nano: u64::MAX,
        end_time_unix_nano: 1,
        attributes: vec![
            attribute("int", IntValue(i64::MIN)),
            attribute("double", DoubleValue(0.5)),
            attribute("nan", DoubleValue(f64::NAN)),
            attribute("bytes", BytesValue(vec![0xff, 0xfe])),
            attribute("array", ArrayValue(values)),
            attribute("pairs", KvlistValue(pairs)),
        ],
        dropped_attributes_count: 3,
        events: vec![Event { time_unix_nano: 5, name: "happened".to_owned(), ..Event::default() }],
        links: vec![Link { trace_id: vec![0xcd; 16], span_id: vec![0xef; 8], ..Link::default() }],
        status: Some(Status { message: "no".to_owned(), code: 2 }),
        ..Span::default()
    }
}

#[tokio::test]
async fn spans_are_as_otlp_writes_them_in_json() {
    let span = span_of_everything();
    let resource =
        Resource { attributes: vec![attribute("service.name", StringValue("x".to_owned()))], ..Resource::default() };
    let scope =
        InstrumentationScope { name: "scope".to_owned(), version: "1".to_owned(), ..InstrumentationScope::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: vec![span], schema_url: "url".to_owned() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
    let expected = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "x"}}]},
        "scopeSpans": [{
            "scope": {"name": "scope", "version": "1"},
            "schemaUrl": "url",
            "spans": [{
                "traceId": "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
                "spanId": "abababababababab",
                "parentSpanId": "0101010101010101",
                "traceState": "a=b",
                "flags": 257,
                "name": "é",
                "kind": 2,
                "startTimeUnixNano": "18446744073709551615",
                "endTimeUnixNano": "1",
                "attributes": [
                    {"key": "int", "value": {"intValue": "-9223372036854775808"}},
                    {"key": "double", "value": {"doubleValue": 0.5}},
                    {"key": "nan", "value": {}},
                    {"key": "bytes", "value": {"bytesValue": "//4="}},
                    {"key": "array", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}}},
                    {"key": "pairs", "value": {"kvlistValue": {"values": [{"key": "b", "value": {"boolValue": false}}]}}},
                ],
                "droppedAttributesCount": 3,
                "events": [{"timeUnixNano": "5", "name": "happened"}],
                "links": [{"traceId": "cd".repeat(16), "spanId": "ef".repeat(8)}],
                "status": {"message": "no", "code": 2},
            }],
        }],
    }]});
    assert_eq!(said(&sent(Signal::Traces, &ExportTraceServiceRequest { resource_spans }).await), expected);
}

#[tokio::test]
async fn log_records_are_as_otlp_writes_them_in_json() {
    let record = LogRecord {
        time_unix_nano: 7,
        observed_time_unix_nano: 8,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(any(StringValue("failed".to_owned()))),
        attributes: vec![attribute("attempt", IntValue(2))],
        flags: 1,
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        event_name: "tried".to_owned(),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let expected = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": "7",
        "observedTimeUnixNano": "8",
        "severityNumber": 17,
        "severityText": "ERROR",
        "body": {"stringValue": "failed"},
        "attributes": [{"key": "attempt", "value": {"intValue": "2"}}],
        "flags": 1,
        "traceId": "ab".repeat(16),
        "spanId": "cd".repeat(8),
        "eventName": "tried",
    }]}]}]});
    assert_eq!(said(&sent(Signal::Logs, &ExportLogsServiceRequest { resource_logs }).await), expected);
}

#[tokio::test]
async fn metrics_are_as_otlp_writes_them_in_json() {
    use number_data_point::Value::{AsDouble, AsInt};
    let point = |value| NumberDataPoint { value: Some(value), time_unix_nano: 9, ..NumberDataPoint::default() };
    let gauge = Gauge { data_points: vec![point(AsDouble(0.25)), point(AsDouble(f64::INFINITY))] };
    let sum = Sum { data_points: vec![point(AsInt(-3))], aggregation_temporality: 2, is_monotonic: true };
    let durations = HistogramDataPoint {
        count: 3,
        sum: Some(1.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram { data_points: vec![durations], aggregation_temporality: 1 };
    let metric = |name: &str, data| Metric { name: name.to_owned(), data: Some(data), ..Metric::default() };
    let metrics = vec![
        metric("gauge", metric::Data::Gauge(gauge)),
        metric("sum", metric::Data::Sum(sum)),
        metric("histogram", metric::Data::Histogram(histogram)),
    ];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    let point = json!({"timeUnixNano": "9", "asDouble": 0.25});
    let expected = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "gauge", "gauge": {"dataPoints": [point, {"timeUnixNano": "9"}]}},
        {"name": "sum", "sum": {
            "dataPoints": [{"timeUnixNano": "9", "asInt": "-3"}], "aggregationTemporality": 2, "isMonotonic": true,
        }},
        {"name": "histogram", "histogram": {"aggregationTemporality": 1, "dataPoints": [
            {"count": "3", "sum": 1.5, "bucketCounts": ["1", "2"], "explicitBounds": [0.5]},
        ]}},
    ]}]}]});
    assert_eq!(said(&sent(Signal::Metrics, &ExportMetricsServiceRequest { resource_metrics }).await), expected);
}

#[tokio::test]
async fn what_is_no_request_is_never_sent() {
    let collector = HttpCollector::answering([]);
    let sender = sender_to(collector.serve().await, "http/json", &[]);
    for failure in [
        sender.attempt(Bytes::from_static(b"\xff")).await.unwrap_err(),
        sender.send(Bytes::from_static(b"\xff"), |_| {}).await.unwrap_err(),
    ] {
        assert_eq!((failure.verdict, failure.error_type()), (Verdict::BadRequest, "unreadable_request"));
    }
    assert!(collector.received().is_empty());
}
