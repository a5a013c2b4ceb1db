//! OTLP's JSON written by hand, by the rules of protobuf and OTLP and by nothing that the collector uses.

pub(crate) mod metrics;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use serde_json::{Value, json};

/// A field of a message, absent when it has its default value.
type Field = (&'static str, Option<Value>);

pub(crate) fn traces(request: &ExportTraceServiceRequest) -> Value {
    message([("resourceSpans", list(&request.resource_spans, resource_spans))])
}

pub(crate) fn logs(request: &ExportLogsServiceRequest) -> Value {
    message([("resourceLogs", list(&request.resource_logs, resource_logs))])
}

/// The same with what a reader has to bear: nulls, fields that nobody knows, 64-bit integers that are no texts.
pub(crate) fn in_another_style(json: Value) -> Value {
    let as_number = |name: &str, value: &Value| {
        let integer = name.ends_with("UnixNano") || matches!(name, "intValue" | "count" | "asInt");
        let text = value.as_str().filter(|_| integer)?;
        text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok()
    };
    match json {
        Value::Array(items) => items.into_iter().map(in_another_style).collect(),
        Value::Object(fields) => {
            let known = fields.into_iter().map(|(name, value)| match as_number(&name, &value) {
                Some(number) => (name, number),
                None => (name, in_another_style(value)),
            });
            let others = [("inventedLater", json!([{"name": 7}])), ("absent", Value::Null)];
            known.chain(others.map(|(name, value)| (name.to_owned(), value))).collect()
        }
        other => other,
    }
}

fn resource_spans(batch: &ResourceSpans) -> Value {
    message([
        ("resource", batch.resource.as_ref().map(resource)),
        ("scopeSpans", list(&batch.scope_spans, scope_spans)),
        ("schemaUrl", text(&batch.schema_url)),
    ])
}

fn scope_spans(batch: &ScopeSpans) -> Value {
    message([
        ("scope", batch.scope.as_ref().map(scope)),
        ("spans", list(&batch.spans, span)),
        ("schemaUrl", text(&batch.schema_url)),
    ])
}

fn span(span: &Span) -> Value {
    message([
        ("traceId", hex(&span.trace_id)),
        ("spanId", hex(&span.span_id)),
        ("traceState", text(&span.trace_state)),
        ("parentSpanId", hex(&span.parent_span_id)),
        ("flags", number(span.flags)),
        ("name", text(&span.name)),
        ("kind", number(span.kind)),
        ("startTimeUnixNano", integer(span.start_time_unix_nano)),
        ("endTimeUnixNano", integer(span.end_time_unix_nano)),
        ("attributes", list(&span.attributes, key_value)),
        ("droppedAttributesCount", number(span.dropped_attributes_count)),
        ("events", list(&span.events, event)),
        ("droppedEventsCount", number(span.dropped_events_count)),
        ("links", list(&span.links, link)),
        ("droppedLinksCount", number(span.dropped_links_count)),
        ("status", span.status.as_ref().map(status)),
    ])
}

fn event(event: &span::Event) -> Value {
    message([
        ("timeUnixNano", integer(event.time_unix_nano)),
        ("name", text(&event.name)),
        ("attributes", list(&event.attributes, key_value)),
        ("droppedAttributesCount", number(event.dropped_attributes_count)),
    ])
}

fn link(link: &span::Link) -> Value {
    message([
        ("traceId", hex(&link.trace_id)),
        ("spanId", hex(&link.span_id)),
        ("traceState", text(&link.trace_state)),
        ("attributes", list(&link.attributes, key_value)),
        ("droppedAttributesCount", number(link.dropped_attributes_count)),
        ("flags", number(link.flags)),
    ])
}

fn status(status: &Status) -> Value {
    message([("message", text(&status.message)), ("code", number(status.code))])
}

fn resource_logs(batch: &ResourceLogs) -> Value {
    message([
        ("resource", batch.resource.as_ref().map(resource)),
        ("scopeLogs", list(&batch.scope_logs, scope_logs)),
        ("schemaUrl", text(&batch.schema_url)),
    ])
}

fn scope_logs(batch: &ScopeLogs) -> Value {
    message([
        ("scope", batch.scope.as_ref().map(scope)),
        ("logRecords", list(&batch.log_records, log)),
        ("schemaUrl", text(&batch.schema_url)),
    ])
}

fn log(log: &LogRecord) -> Value {
    message([
        ("timeUnixNano", integer(log.time_unix_nano)),
        ("observedTimeUnixNano", integer(log.observed_time_unix_nano)),
        ("severityNumber", number(log.severity_number)),
        ("severityText", text(&log.severity_text)),
        ("body", log.body.as_ref().map(any_value)),
        ("attributes", list(&log.attributes, key_value)),
        ("droppedAttributesCount", number(log.dropped_attributes_count)),
        ("flags", number(log.flags)),
        ("traceId", hex(&log.trace_id)),
        ("spanId", hex(&log.span_id)),
        ("eventName", text(&log.event_name)),
    ])
}

fn resource(resource: &Resource) -> Value {
    message([
        ("attributes", list(&resource.attributes, key_value)),
        ("droppedAttributesCount", number(resource.dropped_attributes_count)),
        ("entityRefs", list(&resource.entity_refs, entity_ref)),
    ])
}

fn entity_ref(entity: &EntityRef) -> Value {
    message([
        ("schemaUrl", text(&entity.schema_url)),
        ("type", text(&entity.r#type)),
        ("idKeys", list(&entity.id_keys, |key| json!(key))),
        ("descriptionKeys", list(&entity.description_keys, |key| json!(key))),
    ])
}

fn scope(scope: &InstrumentationScope) -> Value {
    message([
        ("name", text(&scope.name)),
        ("version", text(&scope.version)),
        ("attributes", list(&scope.attributes, key_value)),
        ("droppedAttributesCount", number(scope.dropped_attributes_count)),
    ])
}

fn key_value(pair: &KeyValue) -> Value {
    message([("key", text(&pair.key)), ("value", pair.value.as_ref().map(any_value))])
}

/// A value; of alternatives, the chosen one is written whatever it is.
fn any_value(value: &AnyValue) -> Value {
    use any_value::Value::*;
    match &value.value {
        None => json!({}),
        Some(StringValue(text)) => json!({"stringValue": text}),
        Some(BoolValue(truth)) => json!({"boolValue": truth}),
        Some(IntValue(integer)) => json!({"intValue": integer.to_string()}),
        Some(DoubleValue(value)) => json!({"doubleValue": double(*value)}),
        Some(ArrayValue(array)) => json!({"arrayValue": message([("values", list(&array.values, any_value))])}),
        Some(KvlistValue(pairs)) => json!({"kvlistValue": message([("values", list(&pairs.values, key_value))])}),
        Some(BytesValue(bytes)) => json!({"bytesValue": base64(bytes)}),
        Some(StringValueStrindex(_)) => unreachable!("belongs to profiles"),
    }
}

fn message<const N: usize>(fields: [Field; N]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn list<T>(items: &[T], write: impl Fn(&T) -> Value) -> Option<Value> {
    (!items.is_empty()).then(|| items.iter().map(write).collect())
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!(text))
}

/// An integer of 32 bits.
fn number(number: impl Into<i64>) -> Option<Value> {
    Some(number.into()).filter(|number| *number != 0).map(Value::from)
}

/// An integer of 64 bits.
fn integer(integer: u64) -> Option<Value> {
    (integer != 0).then(|| json!(integer.to_string()))
}

fn double(double: f64) -> Value {
    match double {
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        _ if double.is_nan() => json!("NaN"),
        _ => json!(double),
    }
}

fn hex(bytes: &[u8]) -> Option<Value> {
    text(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = group.iter().chain(&[0; 3]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let letter = |at: usize| char::from(LETTERS[bits >> (18 - 6 * at) & 63]);
        (0..4).map(|at| if at <= group.len() { letter(at) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
