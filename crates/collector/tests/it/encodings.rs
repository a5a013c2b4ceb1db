use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use prost::Message;
use serde_json::{Value, json};
use tonic::codec::CompressionEncoding::Gzip;

use crate::collector_under_test::{Collector, gzip, start};
use crate::fixtures::{ORDER, order, order_as_protobuf, order_in_jaeger, resource, span, spans_of, with};

async fn read_order(collector: &Collector) -> Value {
    collector.read(&format!("/api/v3/traces/{ORDER}")).await
}

#[tokio::test]
async fn a_trace_sent_as_json_reads_as_in_jaeger() {
    let collector = start().await;
    let answer = collector.send_json("/v1/traces", &order()).await;
    assert_eq!(answer, json!({}));
    assert_eq!(read_order(&collector).await, order_in_jaeger());
}

#[tokio::test]
async fn a_trace_sent_as_protobuf_reads_as_in_jaeger() {
    let collector = start().await;
    let answer = collector.send_protobuf("/v1/traces", &order_as_protobuf()).await;
    assert_eq!(answer, ExportTraceServiceResponse::default().encode_to_vec());
    assert_eq!(read_order(&collector).await, order_in_jaeger());
}

#[tokio::test]
async fn a_trace_sent_by_grpc_reads_as_in_jaeger() {
    let collector = start().await;
    let answer = collector.traces().export(order_as_protobuf()).await.unwrap();
    assert_eq!(answer.into_inner(), ExportTraceServiceResponse::default());
    assert_eq!(read_order(&collector).await, order_in_jaeger());
}

#[tokio::test]
async fn grpc_is_gzipped_both_ways_when_asked() {
    let collector = start().await;
    let mut traces = collector.traces().send_compressed(Gzip).accept_compressed(Gzip);
    let answer = traces.export(order_as_protobuf()).await.unwrap();
    assert_eq!(answer.metadata().get("grpc-encoding").unwrap(), "gzip");
    assert_eq!(answer.into_inner(), ExportTraceServiceResponse::default());
    assert_eq!(read_order(&collector).await, order_in_jaeger());
}

#[tokio::test]
async fn gzipped_json_and_protobuf_are_inflated() {
    let json = gzip(order().to_string().as_bytes());
    let protobuf = gzip(&order_as_protobuf().encode_to_vec());
    for (content_type, body) in [("application/json", json), ("application/x-protobuf", protobuf)] {
        let collector = start().await;
        let request = collector.post("/v1/traces", content_type, body).header("content-encoding", "gzip");
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(read_order(&collector).await, order_in_jaeger());
    }
}

#[tokio::test]
async fn a_gzip_body_of_several_members_is_one_body() {
    let collector = start().await;
    let json = order().to_string();
    let (first, second) = json.as_bytes().split_at(json.len() / 2);
    let body = [gzip(first), gzip(second)].concat();
    let request = collector.post("/v1/traces", "application/json", body).header("content-encoding", "gzip");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(read_order(&collector).await, order_in_jaeger());
}

#[tokio::test]
async fn content_types_may_have_parameters_and_capitals() {
    let collector = start().await;
    let request = collector.post("/v1/traces", "Application/JSON; charset=utf-8", order().to_string());
    assert_eq!(request.header("content-encoding", "identity").send().await.unwrap().status(), 200);
    assert_eq!(read_order(&collector).await, order_in_jaeger());
}

#[tokio::test]
async fn an_empty_export_is_a_success_in_every_encoding() {
    let collector = start().await;
    assert_eq!(collector.send_json("/v1/traces", &json!({})).await, json!({}));
    assert!(collector.send_protobuf("/v1/traces", &ExportTraceServiceRequest::default()).await.is_empty());
    collector.traces().export(ExportTraceServiceRequest::default()).await.unwrap();
}

#[tokio::test]
async fn json_may_hold_nulls_unknown_fields_and_arrays_without_a_list() {
    let collector = start().await;
    let mut span = span(7, 1);
    span["links"] = Value::Null;
    span["inventedLater"] = json!({"a": [1]});
    span["attributes"] = json!([{"key": "none", "value": {"arrayValue": {}}}, {"key": "null", "value": null}]);
    collector.send_json("/v1/traces", &spans_of("order", [span])).await;
    let attributes = json!([{"key": "none", "value": {"arrayValue": {}}}, {"key": "null"}]);
    let trace = collector.read("/api/v3/traces/7").await;
    assert_eq!(trace["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"], attributes);
}

#[tokio::test]
async fn schemas_and_scopes_survive_the_round_trip() {
    let collector = start().await;
    let scope = |name, span: Value| json!({"scope": {"name": name}, "schemaUrl": "scope/1", "spans": [span]});
    let batch = |scope| json!({"resource": resource("order"), "schemaUrl": "resource/1", "scopeSpans": [scope]});
    // Two exports of one resource are one batch again when they are read.
    for scope in [scope("rpc", span(7, 1)), scope("tracing", span(7, 2))] {
        collector.send_json("/v1/traces", &json!({"resourceSpans": [batch(scope)]})).await;
    }
    let trace = collector.read("/api/v3/traces/7").await;
    let batches = trace["result"]["resourceSpans"].as_array().unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0]["schemaUrl"], "resource/1");
    assert_eq!(batches[0]["scopeSpans"][0]["scope"], json!({"name": "rpc"}));
    assert_eq!(batches[0]["scopeSpans"][1]["scope"], json!({"name": "tracing"}));
    assert_eq!(batches[0]["scopeSpans"][1]["schemaUrl"], "scope/1");
}

#[tokio::test]
async fn a_text_of_zero_is_a_text() {
    let collector = start().await;
    let zero = json!({"name": "0", "traceState": "0", "status": {"message": "0"}});
    let attributes = json!([{"key": "0", "value": {"stringValue": "0"}}]);
    let span = with(with(span(7, 1), zero.clone()), json!({"attributes": attributes}));
    collector.send_json("/v1/traces", &spans_of("order", [span])).await;
    let trace = collector.read("/api/v3/traces/7").await;
    let span = &trace["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(
        [&span["name"], &span["traceState"], &span["status"]],
        [&zero["name"], &zero["traceState"], &zero["status"]]
    );
    assert_eq!(span["attributes"], attributes);
    assert_eq!(span.get("startTimeUnixNano"), None);
}

#[tokio::test]
async fn a_double_is_kept_to_the_last_bit() {
    let collector = start().await;
    let values = ["2.7715077941825975e-163", "2.2790121708605243e+274", "-0.0", "5e-324"];
    let attribute = |text: &str| json!({"key": text, "value": {"doubleValue": text.parse::<f64>().unwrap()}});
    let span = with(span(7, 1), json!({"attributes": values.map(attribute)}));
    collector.send_json("/v1/traces", &spans_of("order", [span])).await;
    let answer = collector.get("/api/v3/traces/7").await.text().await.unwrap();
    for value in values {
        let written = json!(value.parse::<f64>().unwrap());
        assert!(answer.contains(&format!(r#"{{"doubleValue":{written}}}"#)), "{value}: {answer}");
    }
}

/// Doubles that are no finite numbers, as protobuf's JSON has them.
fn non_finite() -> Value {
    let doubles = ["NaN", "Infinity", "-Infinity"].map(|double| json!({"doubleValue": double}));
    json!([{"key": "list", "value": {"arrayValue": {"values": doubles}}}])
}

#[tokio::test]
async fn doubles_that_are_not_finite_are_written_as_texts() {
    let collector = start().await;
    let doubles = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let values = doubles.map(|double| AnyValue { value: Some(any_value::Value::DoubleValue(double)) }).into();
    let list = AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) };
    let mut traces = order_as_protobuf();
    let span = &mut traces.resource_spans[0].scope_spans[0].spans[0];
    span.attributes = vec![KeyValue { key: "list".into(), value: Some(list), key_strindex: 0 }];
    collector.traces().export(traces).await.unwrap();
    let trace = read_order(&collector).await;
    assert_eq!(trace["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"], non_finite());
}

#[tokio::test]
async fn doubles_that_are_not_finite_are_read_from_texts() {
    let collector = start().await;
    let attributes = json!({"attributes": non_finite()});
    let mut span = with(span(7, 1), attributes.clone());
    (span["events"], span["links"]) = (json!([attributes.clone()]), json!([attributes.clone()]));
    let mut traces = spans_of("order", [with(span, json!({"status": {}}))]);
    traces["resourceSpans"][0]["resource"] = attributes.clone();
    traces["resourceSpans"][0]["scopeSpans"][0]["scope"] = attributes.clone();
    collector.send_json("/v1/traces", &traces).await;
    traces["resourceSpans"][0]["scopeSpans"][0]["spans"][0].as_object_mut().unwrap().remove("startTimeUnixNano");
    assert_eq!(collector.read("/api/v3/traces/7").await, json!({"result": traces}));

    let map = json!({"kvlistValue": {"values": non_finite()}});
    let scope = json!({"scope": attributes, "logRecords": [with(attributes.clone(), json!({"body": map}))]});
    let logs = json!({"resourceLogs": [{"resource": attributes, "scopeLogs": [scope]}]});
    collector.send_json("/v1/logs", &logs).await;
    assert_eq!(collector.read("/api/logs").await, logs);
}

#[tokio::test]
async fn json_may_write_numbers_as_texts_and_bytes_in_either_alphabet() {
    let collector = start().await;
    let numbers = json!({"kind": "3", "flags": "257", "droppedLinksCount": "4294967295", "status": {"code": "2"}});
    let values = json!([
        {"key": "double", "value": {"doubleValue": "-1.5e3"}},
        {"key": "bytes", "value": {"bytesValue": "-_8"}},
        {"value": {"arrayValue": {"values": [{"kvlistValue": {"values": [{"value": {"intValue": 7}}]}}]}}},
    ]);
    let span = with(with(span(7, 1), numbers), json!({"attributes": values}));
    let mut traces = spans_of("order", [span]);
    traces["resourceSpans"][0]["resource"]["entityRefs"] = json!([{"type": "service"}]);
    collector.send_json("/v1/traces", &traces).await;

    let batch = &collector.read("/api/v3/traces/7").await["result"]["resourceSpans"][0];
    let span = &batch["scopeSpans"][0]["spans"][0];
    assert_eq!([&span["kind"], &span["flags"], &span["droppedLinksCount"]], [3, 257, 4_294_967_295_u32]);
    assert_eq!(span["status"], json!({"code": 2}));
    let values = json!([
        {"key": "double", "value": {"doubleValue": -1500.0}},
        {"key": "bytes", "value": {"bytesValue": "+/8="}},
        {"value": {"arrayValue": {"values": [{"kvlistValue": {"values": [{"value": {"intValue": "7"}}]}}]}}},
    ]);
    assert_eq!(span["attributes"], values);
    assert_eq!(batch["resource"]["entityRefs"], json!([{"type": "service"}]));
}
