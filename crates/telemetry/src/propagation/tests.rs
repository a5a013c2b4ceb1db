use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};

use super::{MetadataExtractor, MetadataInjector, Propagation, answer, inject_traceparent, trace_response};

mod harness;
mod properties;

const TRACE: &str = "12345678901234567890123456789012";
const CALLER: &str = "00-12345678901234567890123456789012-1234567890123456-01";

/// A sampler that records and puts its own member into the `tracestate`, as consistent sampling does.
#[derive(Clone, Debug)]
struct Marking(&'static str);

impl ShouldSample for Marking {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let state = parent.map(|cx| cx.span().span_context().trace_state().clone()).unwrap_or_default();
        let trace_state = state.insert("ot", self.0).unwrap();
        SamplingResult { decision: SamplingDecision::RecordAndSample, attributes: Vec::new(), trace_state }
    }
}

#[test]
fn the_random_flag_goes_on_as_the_trace_began_with_it() {
    let record = || Sampler::AlwaysOn;
    let drop = || Sampler::AlwaysOff;
    check_flags("00", record(), "01");
    check_flags("01", drop(), "00");
    check_flags("02", drop(), "02");
    check_flags("02", record(), "03");
    check_flags("03", drop(), "02");
    // Flags that the specification does not define are not sent.
    check_flags("fd", record(), "01");
    check_flags("ff", record(), "03");
}

#[test]
fn a_trace_of_our_own_has_the_random_flag() {
    assert!(lines(&sent(&Context::new(), Sampler::AlwaysOn), "traceparent")[0].ends_with("-03"));
    assert!(lines(&sent(&Context::new(), Sampler::AlwaysOff), "traceparent")[0].ends_with("-02"));
}

#[test]
fn a_new_trace_below_a_remote_context_inherits_neither_flags_nor_tracestate() {
    let cx = extracted(&[("traceparent", CALLER), ("tracestate", "foo=1")]);
    let tracer = SdkTracerProvider::default().tracer("test");
    let root = cx.with_span(tracer.start_with_context("root", &Context::new()));
    let headers = injected(&root);
    assert!(lines(&headers, "traceparent")[0].ends_with("-03"));
    assert!(lines(&headers, "tracestate").is_empty());
}

#[test]
fn a_context_without_a_span_of_ours_is_passed_on_unchanged() {
    for flags in ["00", "01", "02", "03"] {
        let caller = format!("00-{TRACE}-1234567890123456-{flags}");
        let cx = extracted(&[("traceparent", &caller), ("tracestate", "foo@=1, bar=2")]);
        let headers = injected(&cx);
        assert_eq!(lines(&headers, "traceparent"), [caller]);
        assert_eq!(lines(&headers, "tracestate"), ["foo@=1, bar=2"]);
    }
}

#[test]
fn what_a_sampler_changed_goes_to_the_front_of_tracestate() {
    check_marked("th:c", "foo=1,bar=2", "ot=th:c,foo=1,bar=2");
    check_marked("th:c", "foo=1,ot=th:8,bar=2", "ot=th:c,foo=1,bar=2");
    check_marked("th:c", "foo=1,ot=th:8,ot=th:4", "ot=th:c,foo=1");
    check_marked("th:c", "foo=1,ot=th:c", "foo=1,ot=th:c");
    // Keys of level 2 that the SDK does not know go on in their place.
    check_marked("th:c", "foo@@x=1,ot=th:8,bar@@x=2", "ot=th:c,foo@@x=1,bar@@x=2");
    check_marked("th:c", "", "ot=th:c");
    let full: Vec<String> = (0..32).map(|i| format!("k{i}={i}")).collect();
    check_marked("th:c", &full.join(","), &format!("ot=th:c,{}", full[..31].join(",")));
}

#[test]
fn a_sampler_sees_what_the_sdk_can_hold() {
    let cx = extracted(&[("traceparent", CALLER), ("tracestate", "foo@@x=1,ot=th:8")]);
    assert_eq!(cx.span().span_context().trace_state().header(), "ot=th:8");
}

#[test]
fn injecting_replaces_what_a_request_carried_before() {
    let mut headers = header_map(&[("traceparent", CALLER), ("traceparent", CALLER), ("tracestate", "stale=1")]);
    headers.insert("baggage", HeaderValue::from_static("stale=1"));
    let cx = child(&Context::new(), Sampler::AlwaysOn);
    Propagation::default().inject(&cx, &mut headers);
    assert_eq!(lines(&headers, "traceparent").len(), 1);
    assert_ne!(ids(&headers).0, TRACE);
    assert!(!headers.contains_key("tracestate") && !headers.contains_key("baggage"));
}

#[test]
fn without_a_span_a_request_keeps_its_trace() {
    let mut headers = header_map(&[("traceparent", CALLER), ("tracestate", "foo=1")]);
    Propagation::default().inject(&Context::new(), &mut headers);
    assert_eq!(
        (lines(&headers, "traceparent"), lines(&headers, "tracestate")),
        (vec![CALLER.into()], vec!["foo=1".into()])
    );
}

#[test]
fn a_peer_outside_gets_the_traceparent_only() {
    let cx = extracted(&[("traceparent", CALLER), ("tracestate", "foo=1"), ("baggage", "user=7")]);
    let mut headers = header_map(&[("tracestate", "stale=1"), ("baggage", "stale=1")]);
    inject_traceparent(&cx, &mut headers);
    assert_eq!(headers, header_map(&[("traceparent", CALLER)]));
}

#[test]
fn each_part_can_be_left_out() {
    let headers = [("traceparent", CALLER), ("tracestate", "foo=1"), ("baggage", "user=7")];
    check_names("tracecontext", &[], &headers[..2]);
    check_names("baggage", &[], &headers[2..]);
    check_names("tracecontext,baggage", &[], &headers);
    check_names(" Baggage, tracecontext ,baggage", &[], &headers);
    check_names("none", &[], &[]);
    check_names("none,baggage", &[], &headers[2..]);
    check_names("", &[], &headers);
    check_names(" , ", &[], &headers);
    check_names("b3,tracecontext,Jaeger", &["b3", "Jaeger"], &headers[..2]);
    check_names("b3", &["b3"], &headers);
}

#[test]
fn nothing_valid_leaves_the_parent_as_it_is() {
    let parent = extracted(&[("traceparent", CALLER), ("baggage", "user=7")]);
    for traceparent in ["", "00-1-2-3"] {
        let headers = header_map(&[("traceparent", traceparent), ("tracestate", "foo=1"), ("baggage", "=")]);
        let cx = Propagation::default().extract(&headers, &parent);
        assert_eq!(injected(&cx), injected(&parent));
    }
}

#[test]
fn the_caller_in_the_headers_replaces_the_one_of_the_parent() {
    let parent = extracted(&[("traceparent", CALLER), ("tracestate", "foo=1")]);
    let traceparent = format!("00-{TRACE}-aaaaaaaaaaaaaaaa-03");
    let cx = Propagation::default().extract(&header_map(&[("traceparent", &traceparent)]), &parent);
    assert_eq!(injected(&cx), header_map(&[("traceparent", &traceparent)]));
}

#[test]
fn any_carrier_of_text_will_do() {
    let propagation = Propagation::default();
    let headers =
        header_map(&[("traceparent", CALLER), ("tracestate", "a=1"), ("tracestate", "b=2"), ("baggage", "u=7")]);
    let cx = propagation.extract_with_context(&Context::new(), &MetadataExtractor(&headers));

    let mut row = HashMap::new();
    propagation.inject_context(&cx, &mut row);
    assert_eq!(row["traceparent"], CALLER);
    assert_eq!(row["tracestate"], "a=1,b=2");
    assert_eq!(row["baggage"], "u=7");
    let cx = propagation.extract_with_context(&Context::new(), &row);

    let mut sent = HeaderMap::new();
    propagation.inject_context(&cx, &mut MetadataInjector(&mut sent));
    assert_eq!(sent, injected(&cx));
    assert_eq!(propagation.fields().collect::<Vec<_>>(), ["traceparent", "tracestate", "baggage"]);
}

#[test]
fn an_answer_names_its_span_and_its_trace() {
    let cx = child(&extracted(&[("traceparent", CALLER)]), Sampler::AlwaysOn);
    let mut headers = HeaderMap::new();
    answer(&cx, &mut headers);
    let span = cx.span().span_context().span_id();
    assert_eq!(lines(&headers, "traceresponse"), [format!("00-{TRACE}-{span}-01")]);
    assert_eq!(lines(&headers, "x-trace-id"), [TRACE]);
    assert_eq!(trace_response(&Context::new()), None);
}

#[track_caller]
fn check_flags(received: &str, sampler: Sampler, expected: &str) {
    let cx = extracted(&[("traceparent", &format!("00-{TRACE}-1234567890123456-{received}"))]);
    let sent = &lines(&sent(&cx, sampler), "traceparent")[0];
    assert_eq!(sent.rsplit('-').next(), Some(expected), "{received}");
}

#[track_caller]
fn check_marked(mark: &'static str, received: &str, expected: &str) {
    let cx = extracted(&[("traceparent", CALLER), ("tracestate", received)]);
    assert_eq!(lines(&sent(&cx, Marking(mark)), "tracestate"), [expected], "{received:?}");
}

#[track_caller]
fn check_names(names: &str, unknown: &[&str], expected: &[(&str, &str)]) {
    let (propagation, others) = Propagation::from_names(names);
    assert_eq!(others, unknown, "{names:?}");
    let all = header_map(&[("traceparent", CALLER), ("tracestate", "foo=1"), ("baggage", "user=7")]);
    let cx = extracted(&[("traceparent", CALLER), ("tracestate", "foo=1"), ("baggage", "user=7")]);
    let mut headers = HeaderMap::new();
    propagation.inject(&cx, &mut headers);
    assert_eq!(headers, header_map(expected), "{names:?}");
    assert_eq!(injected(&propagation.extract(&all, &Context::new())), header_map(expected), "{names:?}");
    assert!(propagation.fields().eq(expected.iter().map(|(name, _)| *name)), "{names:?}");
}

/// What a service sends that got these headers and makes a span, recorded if its caller's was.
fn forwarded(headers: &[(&str, &str)]) -> HeaderMap {
    sent(&extracted(headers), Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
}

fn sent(parent: &Context, sampler: impl ShouldSample + 'static) -> HeaderMap {
    injected(&child(parent, sampler))
}

/// `parent` with a span of ours below it.
fn child(parent: &Context, sampler: impl ShouldSample + 'static) -> Context {
    let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    parent.with_span(provider.tracer("test").start_with_context("child", parent))
}

fn extracted(headers: &[(&str, &str)]) -> Context {
    Propagation::default().extract(&header_map(headers), &Context::new())
}

fn injected(cx: &Context) -> HeaderMap {
    let mut headers = HeaderMap::new();
    Propagation::default().inject(cx, &mut headers);
    headers
}

fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    headers.iter().map(line).collect()
}

fn lines(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// Trace id and parent id of the one traceparent.
#[track_caller]
fn ids(headers: &HeaderMap) -> (String, String) {
    let [line] = &lines(headers, "traceparent")[..] else { panic!("not one traceparent in {headers:?}") };
    (line[3..35].to_owned(), line[36..52].to_owned())
}
