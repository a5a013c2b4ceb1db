//! Doubles that are no finite numbers: serde_json writes them as `null`, protobuf's JSON as text.

use opentelemetry_proto::tonic::common::v1::any_value::Value::{ArrayValue, DoubleValue, KvlistValue};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData};
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use serde_json::Value;

/// Writes those of `traces` into the `json` that serde_json made of them.
pub(super) fn write_spans(json: &mut Value, traces: &TracesData) {
    each(json, "resourceSpans", &traces.resource_spans, |json, batch| {
        batch.resource.iter().for_each(|resource| attributes(&mut json["resource"], &resource.attributes));
        each(json, "scopeSpans", &batch.scope_spans, |json, batch| {
            batch.scope.iter().for_each(|scope| attributes(&mut json["scope"], &scope.attributes));
            each(json, "spans", &batch.spans, span);
        });
    });
}

/// Writes those of `logs` into the `json` that serde_json made of them.
pub(super) fn write_logs(json: &mut Value, logs: &LogsData) {
    each(json, "resourceLogs", &logs.resource_logs, |json, batch| {
        batch.resource.iter().for_each(|resource| attributes(&mut json["resource"], &resource.attributes));
        each(json, "scopeLogs", &batch.scope_logs, |json, batch| {
            batch.scope.iter().for_each(|scope| attributes(&mut json["scope"], &scope.attributes));
            each(json, "logRecords", &batch.log_records, log);
        });
    });
}

fn span(json: &mut Value, span: &Span) {
    attributes(json, &span.attributes);
    each(json, "events", &span.events, |json, event| attributes(json, &event.attributes));
    each(json, "links", &span.links, |json, link| attributes(json, &link.attributes));
}

fn log(json: &mut Value, log: &LogRecord) {
    attributes(json, &log.attributes);
    log.body.iter().for_each(|body| any_value(&mut json["body"], body));
}

fn attributes(json: &mut Value, attributes: &[KeyValue]) {
    each(json, "attributes", attributes, key_value);
}

fn key_value(json: &mut Value, pair: &KeyValue) {
    pair.value.iter().for_each(|value| any_value(&mut json["value"], value));
}

fn any_value(json: &mut Value, value: &AnyValue) {
    match &value.value {
        Some(DoubleValue(double)) if !double.is_finite() => json["doubleValue"] = text(*double).into(),
        Some(ArrayValue(array)) => each(&mut json["arrayValue"], "values", &array.values, any_value),
        Some(KvlistValue(list)) => each(&mut json["kvlistValue"], "values", &list.values, key_value),
        _ => {}
    }
}

fn text(double: f64) -> &'static str {
    if double.is_nan() {
        "NaN"
    } else if double > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Does `write` to each item of the list in `json` with the item that it was made of.
fn each<T>(json: &mut Value, list: &str, items: &[T], write: impl Fn(&mut Value, &T)) {
    let list = json.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
    list.zip(items).for_each(|(json, item)| write(json, item));
}
