mod non_finite;

use opentelemetry_proto::tonic::logs::v1::{LogsData, ResourceLogs};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, TracesData};
use serde::Serialize;
use serde_json::{Value, json};

use crate::store::Calls;

/// Spans as Jaeger answers them: OTLP's JSON in a `result`.
pub(super) fn spans(mut resource_spans: Vec<ResourceSpans>) -> Value {
    // Jaeger always writes these three, if only as `{}`.
    for batch in &mut resource_spans {
        batch.resource.get_or_insert_default();
        for scope in &mut batch.scope_spans {
            scope.scope.get_or_insert_default();
            for span in &mut scope.spans {
                span.status.get_or_insert_default();
            }
        }
    }
    json!({"result": otlp(&TracesData { resource_spans }, non_finite::write_spans)})
}

/// Log records as OTLP's JSON.
pub(super) fn logs(resource_logs: Vec<ResourceLogs>) -> Value {
    otlp(&LogsData { resource_logs }, non_finite::write_logs)
}

/// Which service calls which, as Jaeger's older API answers it.
pub(super) fn dependencies(calls: &Calls) -> Value {
    let links = calls.iter();
    let links = links.map(|((parent, child), count)| json!({"parent": parent, "child": child, "callCount": count}));
    json!({"data": links.collect::<Vec<_>>(), "total": 0, "limit": 0, "offset": 0, "errors": null})
}

/// What Jaeger calls a kind of span. As in Jaeger, one that nobody specified is internal.
pub(super) fn kind(number: i32) -> &'static str {
    match SpanKind::try_from(number) {
        Ok(SpanKind::Server) => "server",
        Ok(SpanKind::Client) => "client",
        Ok(SpanKind::Producer) => "producer",
        Ok(SpanKind::Consumer) => "consumer",
        Ok(SpanKind::Internal | SpanKind::Unspecified) | Err(_) => "internal",
    }
}

fn otlp<M: Serialize>(message: &M, write_non_finite: impl Fn(&mut Value, &M)) -> Value {
    let mut value = serde_json::to_value(message).expect("every key of a protobuf message is a string");
    write_non_finite(&mut value, message);
    omit_defaults(&mut value);
    value
}

/// Leaves out fields with their default value, as protobuf's JSON does.
fn omit_defaults(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(omit_defaults),
        Value::Object(fields) => {
            // The alternatives of an attribute's value are named after it: what was chosen counts, whatever it is.
            fields.retain(|name, field| name.ends_with("Value") || !is_default(name, field));
            fields.values_mut().for_each(omit_defaults);
        }
        _ => {}
    }
}

fn is_default(name: &str, field: &Value) -> bool {
    match field {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        // 64-bit integers are strings, and all of them times.
        Value::String(text) => text.is_empty() || (text == "0" && name.ends_with("UnixNano")),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) => false,
    }
}
