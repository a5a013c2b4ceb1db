use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::{Value, json};

/// The id of the trace in `order.json`, as Jaeger shows it.
pub(crate) const ORDER: &str = "a1b2c3d4e5f60718";

/// An export of one trace: four spans of two services, with all that a span can have.
pub(crate) fn order() -> Value {
    serde_json::from_str(include_str!("fixtures/order.json")).unwrap()
}

/// What a Jaeger 2.13 that got `order.json` answers to `/api/v3/traces/a1b2c3d4e5f60718`.
pub(crate) fn order_in_jaeger() -> Value {
    serde_json::from_str(include_str!("fixtures/order.jaeger.json")).unwrap()
}

pub(crate) fn order_as_protobuf() -> ExportTraceServiceRequest {
    serde_json::from_value(order()).unwrap()
}

/// A span that starts at the epoch and takes a second.
pub(crate) fn span(trace: u128, id: u64) -> Value {
    json!({
        "traceId": format!("{trace:032x}"),
        "spanId": format!("{id:016x}"),
        "name": format!("span {id}"),
        "kind": 1,
        "startTimeUnixNano": "0",
        "endTimeUnixNano": "1000000000",
    })
}

/// An export of `spans` by one service.
pub(crate) fn spans_of(service: &str, spans: impl IntoIterator<Item = Value>) -> Value {
    let spans: Vec<_> = spans.into_iter().collect();
    json!({"resourceSpans": [{"resource": resource(service), "scopeSpans": [{"spans": spans}]}]})
}

pub(crate) fn resource(service: &str) -> Value {
    json!({"attributes": [{"key": "service.name", "value": {"stringValue": service}}]})
}

/// `span` with other fields, as a search tells it apart.
pub(crate) fn with(mut span: Value, fields: Value) -> Value {
    span.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    span
}
