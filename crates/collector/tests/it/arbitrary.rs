//! Export requests with anything in them that OTLP can carry.

pub(crate) mod metrics;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// The id of every trace here, where it is a valid one.
pub(crate) const TRACE: [u8; 16] = [7; 16];

/// Spans of [`TRACE`], no two with the same valid id.
pub(crate) fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope = (option::of(scope()), text(), vec(span(), 0..3)).prop_map(|(scope, schema_url, spans)| ScopeSpans {
        scope,
        spans,
        schema_url,
    });
    let batch = (option::of(resource()), text(), vec(scope, 0..3))
        .prop_map(|(resource, schema_url, scope_spans)| ResourceSpans { resource, scope_spans, schema_url });
    vec(batch, 0..3).prop_map(|mut resource_spans| {
        let scopes = resource_spans.iter_mut().flat_map(|batch| &mut batch.scope_spans);
        let spans = scopes.flat_map(|scope| &mut scope.spans).filter(|span| is_id::<8>(&span.span_id));
        spans.zip(1_u64..).for_each(|(span, number)| span.span_id = number.to_be_bytes().into());
        ExportTraceServiceRequest { resource_spans }
    })
}

/// Log records of [`TRACE`] and of none.
pub(crate) fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope = (option::of(scope()), text(), vec(log(), 0..3))
        .prop_map(|(scope, schema_url, log_records)| ScopeLogs { scope, log_records, schema_url });
    let batch = (option::of(resource()), text(), vec(scope, 0..3))
        .prop_map(|(resource, schema_url, scope_logs)| ResourceLogs { resource, scope_logs, schema_url });
    vec(batch, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

/// Whether these are `N` bytes that are not all zero.
pub(crate) fn is_id<const N: usize>(bytes: &[u8]) -> bool {
    bytes.len() == N && bytes.iter().any(|byte| *byte != 0)
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (trace_id(), id::<8>(), id::<8>(), number(), kind());
    let times = (time(), time(), number(), number(), number());
    let status = (text(), kind()).prop_map(|(message, code)| Status { message, code });
    let lists = (attributes(), vec(event(), 0..3), vec(link(), 0..3), option::of(status));
    (ids, (text(), text()), times, lists).prop_map(|(ids, (name, trace_state), times, lists)| {
        let (trace_id, span_id, parent_span_id, flags, kind) = ids;
        let (start, end, dropped_attributes_count, dropped_events_count, dropped_links_count) = times;
        let (attributes, events, links, status) = lists;
        Span {
            trace_id,
            span_id,
            trace_state,
            parent_span_id,
            flags,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            dropped_attributes_count,
            events,
            dropped_events_count,
            links,
            dropped_links_count,
            status,
        }
    })
}

fn event() -> impl Strategy<Value = span::Event> {
    (time(), text(), attributes(), number()).prop_map(|(time_unix_nano, name, attributes, dropped_attributes_count)| {
        span::Event { time_unix_nano, name, attributes, dropped_attributes_count }
    })
}

fn link() -> impl Strategy<Value = span::Link> {
    (id::<16>(), id::<8>(), text(), attributes(), number(), number()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| span::Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn log() -> impl Strategy<Value = LogRecord> {
    let context = (trace_id(), id::<8>(), number());
    let texts = (text(), text(), kind());
    (context, texts, (time(), time()), option::of(value()), attributes(), number()).prop_map(
        |(context, texts, times, body, attributes, dropped_attributes_count)| {
            let (trace_id, span_id, flags) = context;
            let (severity_text, event_name, severity_number) = texts;
            let (time_unix_nano, observed_time_unix_nano) = times;
            LogRecord {
                time_unix_nano,
                observed_time_unix_nano,
                severity_number,
                severity_text,
                body,
                attributes,
                dropped_attributes_count,
                flags,
                trace_id,
                span_id,
                event_name,
            }
        },
    )
}

fn resource() -> impl Strategy<Value = Resource> {
    let entity = (text(), text(), vec(text(), 0..2), vec(text(), 0..2)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef { schema_url, r#type, id_keys, description_keys },
    );
    let service = prop::sample::select(vec!["order", "payment"]).prop_map(|name| KeyValue {
        key: "service.name".to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(name.to_owned())) }),
        key_strindex: 0,
    });
    (option::of(service), attributes(), number(), vec(entity, 0..2)).prop_map(
        |(service, others, dropped_attributes_count, entity_refs)| Resource {
            attributes: service.into_iter().chain(others).collect(),
            dropped_attributes_count,
            entity_refs,
        },
    )
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(), number()).prop_map(|(name, version, attributes, dropped_attributes_count)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(option::of(value())), 0..3)
}

fn key_value(value: impl Strategy<Value = Option<AnyValue>>) -> impl Strategy<Value = KeyValue> {
    (text(), value).prop_map(|(key, value)| KeyValue { key, value, key_strindex: 0 })
}

/// A value of any kind but those that belong to profiles.
fn value() -> impl Strategy<Value = AnyValue> {
    let plain = prop_oneof![
        Just(None),
        text().prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|truth| Some(Value::BoolValue(truth))),
        prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), any::<i64>()].prop_map(|int| Some(Value::IntValue(int))),
        double().prop_map(|double| Some(Value::DoubleValue(double))),
        vec(any::<u8>(), 0..5).prop_map(|bytes| Some(Value::BytesValue(bytes))),
    ];
    plain.prop_map(|value| AnyValue { value }).prop_recursive(3, 8, 3, |inner| {
        let array = vec(inner.clone(), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values }));
        let list = vec(key_value(option::of(inner)), 0..3);
        let list = list.prop_map(|values| Value::KvlistValue(KeyValueList { values }));
        prop_oneof![array, list].prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX]),
        any::<u64>().prop_map(f64::from_bits),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("0".to_owned()), vec(any::<char>(), 1..5).prop_map(String::from_iter)]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1_760_000_000_000_000_000), Just(u64::MAX), any::<u64>()]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(u32::MAX), any::<u32>()]
}

/// The number of an enum, known or not.
fn kind() -> impl Strategy<Value = i32> {
    prop_oneof![4 => 0..=6, 1 => Just(i32::MIN), 1 => Just(i32::MAX)]
}

fn trace_id() -> impl Strategy<Value = Vec<u8>> {
    id::<16>().prop_map(|id| if is_id::<16>(&id) { TRACE.to_vec() } else { id })
}

/// An id of `N` bytes, or what is none.
fn id<const N: usize>() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![6 => vec(any::<u8>(), N), 2 => Just(Vec::new()), 1 => Just(vec![0; N]), 1 => vec(any::<u8>(), 0..20)]
}
