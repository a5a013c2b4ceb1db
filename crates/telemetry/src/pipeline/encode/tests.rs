use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::trace::{TraceFlags, TraceState};
use opentelemetry::{Array, TraceId, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as pb;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
use proptest::prelude::*;
use prost::Message;

use super::*;

mod arbitrary;

proptest! {
    #[test]
    fn a_request_decodes_to_what_the_stock_exporter_sends(
        spans in arbitrary::spans(),
        resource in arbitrary::resource(),
    ) {
        let decoded = ExportTraceServiceRequest::decode(encoded(&spans, &resource).as_slice());
        prop_assert_eq!(decoded.unwrap(), stock(&spans, &resource));
    }

    #[test]
    fn a_span_is_the_bytes_that_prost_makes_of_it(spans in arbitrary::spans()) {
        for one in &spans {
            check(one);
        }
    }
}

#[test]
fn a_span_of_nothing() {
    check(&empty());
    let resource = Resource::builder_empty().build();
    assert_eq!(decoded(&[empty()], &resource), stock(&[empty()], &resource));
}

#[test]
fn a_request_of_nothing() {
    let resource = Resource::builder_empty().build();
    assert_eq!(decoded(&[], &resource), stock(&[], &resource));
}

#[test]
fn times_at_the_ends_of_what_fits() {
    let largest = Duration::from_nanos(u64::MAX);
    check(&SpanData { start_time: UNIX_EPOCH - Duration::from_nanos(1), ..empty() });
    check(&SpanData { start_time: UNIX_EPOCH - largest, ..empty() });
    check(&SpanData { start_time: UNIX_EPOCH + Duration::from_nanos(1), ..empty() });
    check(&SpanData { end_time: UNIX_EPOCH + largest, ..empty() });
    check(&SpanData { end_time: UNIX_EPOCH + largest + Duration::from_nanos(1), ..empty() });
    check(&SpanData { end_time: UNIX_EPOCH + largest * 9, ..empty() });

    assert_eq!(nanoseconds(UNIX_EPOCH - Duration::from_secs(1)), 0);
}

#[test]
fn numbers_that_are_not_equal_to_themselves_or_look_like_nothing() {
    check_value(f64::NAN);
    check_value(0.0);
    check_value(-0.0);
    check_value(0);
    check_value(-1);
    check_value(i64::MIN);
    check_value(false);
    check_value("");
    check_value(Value::Array(Vec::<bool>::new().into()));
    check_value(Value::Array(vec![0.0, f64::NAN].into()));
    check_value(Value::Array(Array::String(vec!["".into(), "€".into()])));
}

#[test]
fn lengths_where_their_own_length_changes() {
    // Around each limit, whatever stands beside the name.
    for limit in [1 << 7, 1 << 14, 1 << 21] {
        for length in limit - 80..limit + 2 {
            check(&SpanData { name: "n".repeat(length).into(), ..empty() });
        }
        for length in limit - 12..limit + 2 {
            check_value("v".repeat(length));
        }
    }
}

#[test]
fn what_was_written_before_stays() {
    let mut out = b"before".to_vec();
    request(b"resource", &[Scoped { scope: b"scope", items: b"spans" }], &mut out);
    assert_eq!(out, b"before\x0a\x14resource\x12\x0ascopespans");
}

#[test]
fn flags_tell_where_the_parent_was_and_where_the_linked_span_is() {
    let sampled = |is_remote| {
        SpanContext::new(TraceId::from(1), SpanId::from(1), TraceFlags::SAMPLED, is_remote, TraceState::NONE)
    };
    assert_eq!(flags(&sampled(true), false), 0x101);
    assert_eq!(flags(&sampled(false), true), 0x301);

    let mut links = SpanLinks::default();
    links.links = vec![Link::new(sampled(true), vec![], 0), Link::new(sampled(false), vec![], 0)];
    check(&SpanData { span_context: sampled(true), links, ..empty() });
}

/// One span, framed as in a `ScopeSpans`, behind bytes that are there already.
#[track_caller]
fn check(one: &SpanData) {
    let mut out = vec![7];
    span(one, &mut out);
    let stock = pb::ScopeSpans { scope: None, spans: vec![one.clone().into()], schema_url: String::new() };
    assert!(out[1..] == stock.encode_to_vec(), "{one:?}: {out:x?}");
}

#[track_caller]
fn check_value(value: impl Into<Value>) {
    check(&SpanData { attributes: vec![KeyValue::new("key", value)], ..empty() });
}

fn empty() -> SpanData {
    SpanData {
        span_context: SpanContext::NONE,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "".into(),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

fn stock(spans: &[SpanData], resource: &Resource) -> ExportTraceServiceRequest {
    let resource = ResourceAttributesWithSchema::from(resource);
    ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(spans.to_vec(), &resource) }
}

fn decoded(spans: &[SpanData], resource: &Resource) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(encoded(spans, resource).as_slice()).unwrap()
}

/// The spans as an exporter would send them: grouped by their scope, in the order in which the scopes first appear.
fn encoded(spans: &[SpanData], of: &Resource) -> Vec<u8> {
    let mut groups: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut known = HashMap::new();
    for one in spans {
        let at = *known.entry(one.instrumentation_scope.clone()).or_insert_with(|| {
            let mut part = Vec::new();
            scope(&one.instrumentation_scope, &mut part);
            groups.push((part, Vec::new()));
            groups.len() - 1
        });
        span(one, &mut groups[at].1);
    }
    let scopes: Vec<_> = groups.iter().map(|(scope, items)| Scoped { scope, items }).collect();
    let mut part = Vec::new();
    resource(of, &mut part);
    let mut out = Vec::new();
    request(&part, &scopes, &mut out);
    out
}
