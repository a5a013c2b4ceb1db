//! Spans of every kind, to compare two encoders with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, SpanId, StringValue, TraceId, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Spans of a few scopes.
pub(super) fn spans() -> impl Strategy<Value = Vec<SpanData>> {
    let scopes = vec(scope(), 1..4);
    (scopes, vec((span(), any::<Index>()), 0..6)).prop_map(|(scopes, spans)| {
        let of_scope =
            |(span, at): (SpanData, Index)| SpanData { instrumentation_scope: at.get(&scopes).clone(), ..span };
        spans.into_iter().map(of_scope).collect()
    })
}

pub(super) fn resource() -> impl Strategy<Value = Resource> {
    (attributes(), option::of(text())).prop_map(|(attributes, schema_url)| {
        let builder = Resource::builder_empty().with_attributes(attributes);
        match schema_url {
            Some(url) => builder.with_schema_url([], url).build(),
            None => builder.build(),
        }
    })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    let parts = (text(), option::of(text()), option::of(text()), attributes());
    parts.prop_map(|(name, version, schema_url, attributes)| {
        let mut builder = InstrumentationScope::builder(name).with_attributes(attributes);
        if let Some(version) = version {
            builder = builder.with_version(version);
        }
        if let Some(schema_url) = schema_url {
            builder = builder.with_schema_url(schema_url);
        }
        builder.build()
    })
}

fn span() -> impl Strategy<Value = SpanData> {
    let what = (context(), id(), any::<bool>(), kind(), text(), status());
    let when = (time(), time());
    let holds = (attributes(), count(), events(), links());
    (what, when, holds).prop_map(|(what, (start_time, end_time), holds)| {
        let (span_context, parent_span_id, parent_span_is_remote, span_kind, name, status) = what;
        let (attributes, dropped_attributes_count, events, links) = holds;
        SpanData {
            span_context,
            parent_span_id: SpanId::from(parent_span_id),
            parent_span_is_remote,
            span_kind,
            name: name.into(),
            start_time,
            end_time,
            attributes,
            dropped_attributes_count,
            events,
            links,
            status,
            instrumentation_scope: InstrumentationScope::default(),
        }
    })
}

fn events() -> impl Strategy<Value = SpanEvents> {
    let event = (text(), time(), attributes(), count());
    let event = event.prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped));
    (vec(event, 0..3), count()).prop_map(|(list, dropped)| {
        let mut events = SpanEvents::default();
        events.events = list;
        events.dropped_count = dropped;
        events
    })
}

fn links() -> impl Strategy<Value = SpanLinks> {
    let link = (context(), attributes(), count());
    let link = link.prop_map(|(context, attributes, dropped)| Link::new(context, attributes, dropped));
    (vec(link, 0..3), count()).prop_map(|(list, dropped)| {
        let mut links = SpanLinks::default();
        links.links = list;
        links.dropped_count = dropped;
        links
    })
}

fn context() -> impl Strategy<Value = SpanContext> {
    let parts = (prop_oneof![Just(0), any::<u128>()], id(), any::<u8>(), any::<bool>(), trace_state());
    parts.prop_map(|(trace, span, flags, is_remote, state)| {
        SpanContext::new(TraceId::from(trace), SpanId::from(span), TraceFlags::new(flags), is_remote, state)
    })
}

fn trace_state() -> impl Strategy<Value = TraceState> {
    let members = vec(("[a-z0-9][a-z0-9_*/-]{0,9}|", "[!-+.-<>-~é€]{0,40}"), 0..4);
    (members, any::<bool>()).prop_map(|(members, is_emptied)| match is_emptied {
        // A list without members is not the same as none.
        true => TraceState::from_key_value([("a", "b")]).unwrap().delete("a").unwrap(),
        false => TraceState::from_key_value(members).unwrap(),
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((text(), value()).prop_map(|(key, value)| KeyValue::new(key, value)), 0..6)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        integer().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        double().prop_map(Value::from),
        vec(text().prop_map(StringValue::from), 0..5).prop_map(|values| Value::Array(Array::String(values))),
        vec(integer(), 0..40).prop_map(|values| Value::Array(Array::I64(values))),
        vec(any::<bool>(), 0..40).prop_map(|values| Value::Array(Array::Bool(values))),
        vec(double(), 0..20).prop_map(|values| Value::Array(Array::F64(values))),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        8 => "[a-z.]{1,20}",
        4 => any::<String>(),
        1 => (any::<char>(), 30..200_usize).prop_map(|(character, times)| character.to_string().repeat(times)),
    ]
}

/// Not NaN, which no comparison of messages would let pass.
fn double() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX])]
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -200..200_i64, select(vec![i64::MIN, i64::MAX])]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 1..300_u32, any::<u32>()]
}

fn id() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), any::<u64>()]
}

fn kind() -> impl Strategy<Value = SpanKind> {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    select(vec![Client, Server, Producer, Consumer, Internal])
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Unset), Just(Status::Ok), text().prop_map(Status::error)]
}

/// From long before the epoch to long after what 64 bits of nanoseconds hold.
fn time() -> impl Strategy<Value = SystemTime> {
    let ago = (0..1_u64 << 40, 0..1_000_000_000_u32);
    prop_oneof![
        Just(UNIX_EPOCH),
        any::<u64>().prop_map(|nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds)),
        ago.clone().prop_map(|(seconds, nanoseconds)| UNIX_EPOCH + Duration::new(seconds, nanoseconds)),
        ago.prop_map(|(seconds, nanoseconds)| UNIX_EPOCH - Duration::new(seconds, nanoseconds)),
    ]
}
