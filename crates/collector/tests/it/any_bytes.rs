//! Whatever bytes arrive, they are kept or refused for a reason, and the next request is served.

use std::cell::Cell;
use std::io::Read;

use flate2::read::{GzDecoder, MultiGzDecoder};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use prost::Message;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::arbitrary::metrics::metrics;
use crate::arbitrary::{logs, traces};
use crate::collector_under_test::{Collector, gzip, start};
use crate::fixtures::{span, spans_of};
use crate::otlp_json;

const PROTOBUF: &str = "application/x-protobuf";

/// Around every span of the tests.
const SEARCH: &str = "/api/v3/traces?query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2500-01-01T00:00:00Z\
                      &query.attributes=%7B%22a%22:%22b%22%7D";

/// Where a request goes, and whether a body is one in protobuf.
type Target = (&'static str, fn(&[u8]) -> bool);

/// `google.rpc.Status`, as far as refusals fill it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[test]
fn any_protobuf_is_kept_or_refused() {
    check(protobuf(), async |collector, (path, is_request), body, gzipped| {
        let answer = post(collector, path, PROTOBUF, body.clone(), gzipped).await;
        let refusal = answer.map(|body| RpcStatus::decode(&*body).unwrap());
        let whole = if gzipped { inflated(MultiGzDecoder::new(&*body)) } else { Some(body) };
        assert_eq!(refusal.is_none(), whole.is_some_and(|body| is_request(&body)), "{refusal:?}");
        refusal.iter().for_each(|refusal| check_refusal(refusal.code, &refusal.message));
    });
}

#[test]
fn any_json_is_kept_or_refused() {
    check(json(), async |collector, (path, _), body, gzipped| {
        let answer = post(collector, path, "application/json", body.clone(), gzipped).await;
        let refusal = answer.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
        let whole = if gzipped { inflated(MultiGzDecoder::new(&*body)) } else { Some(body) };
        let text = whole.and_then(|body| String::from_utf8(body).ok());
        let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(&text).is_ok());
        assert!(is_json || refusal.is_some());
        refusal.iter().for_each(|refusal| {
            check_refusal(refusal["code"].as_i64().unwrap() as i32, refusal["message"].as_str().unwrap());
        });
    });
}

#[test]
fn any_grpc_frame_is_kept_or_refused() {
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    check(frames(), async |collector, (service, is_request), frame, gzipped| {
        let url = format!("http://{}/opentelemetry.proto.collector.{service}/Export", collector.grpc);
        let request = client.post(url).header("content-type", "application/grpc").header("te", "trailers");
        let request = if gzipped { request.header("grpc-encoding", "gzip") } else { request };
        let answer = request.body(frame.clone()).send().await.unwrap();

        let refusal = answer.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
        let whole = message_in(&frame, gzipped);
        assert_eq!(refusal.is_none(), whole.is_some_and(|body| is_request(&body)), "{answer:?}");
        if let Some(code) = refusal {
            let readable = frame.first().is_some_and(|flag| *flag <= u8::from(gzipped));
            let too_large = frame.get(1..5).is_some_and(|length| *length > [0, 0x40, 0, 0][..]);
            assert_eq!(code, if readable && too_large { "8" } else { "3" }, "{answer:?}");
            assert!(answer.headers()["grpc-message"].len() > 5, "{answer:?}");
        }
    });
}

#[tokio::test]
async fn the_deepest_value_that_protobuf_can_bring_is_read_back() {
    let array = |inner| Kind::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(inner) }] });
    let map = |inner| {
        let value = Some(AnyValue { value: Some(inner) });
        Kind::KvlistValue(KeyValueList { values: vec![KeyValue { value, ..KeyValue::default() }] })
    };
    check_depth("arrayValue", array).await;
    check_depth("kvlistValue", map).await;
}

/// Nests deeper and deeper until it is refused.
async fn check_depth(name: &str, nest: impl Fn(Kind) -> Kind) {
    let collector = start().await;
    let mut request: ExportTraceServiceRequest = serde_json::from_value(spans_of("order", [span(7, 1)])).unwrap();
    let (mut value, mut depth) = (Kind::IntValue(1), 0_u8);
    loop {
        let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
        let attribute = AnyValue { value: Some(value.clone()) };
        span.attributes = vec![KeyValue { value: Some(attribute), ..KeyValue::default() }];
        span.trace_id[0] = depth;
        let answer = collector.post("/v1/traces", PROTOBUF, request.encode_to_vec()).send().await.unwrap();
        if answer.status() != 200 {
            break assert_eq!(answer.status(), 400);
        }
        let trace = collector.get(&format!("/api/v3/traces/{depth:02x}{:030x}", 7)).await.text().await.unwrap();
        assert_eq!(trace.matches(name).count(), usize::from(depth));
        (value, depth) = (nest(value), depth + 1);
    }
    assert!(depth > 10, "{depth}");
}

/// Runs `property` on a collector and on where to send what, gzipped or not. After each, the collector must still
/// keep what is valid and answer every question.
fn check<S>(cases: S, property: impl AsyncFn(&Collector, Target, Vec<u8>, bool))
where
    S: Strategy<Value = (Target, Vec<u8>, bool)>,
{
    let runtime = Runtime::new().unwrap();
    let collector = runtime.block_on(start());
    let sent = Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) });
    let ran = runner.run(&cases, |(target, body, gzipped)| {
        runtime.block_on(async {
            property(&collector, target, body, gzipped).await;
            sent.set(sent.get() + 1);
            collector.send_json("/v1/traces", &spans_of("order", [span(sent.get(), 1)])).await;
            collector.read(&format!("/api/v3/traces/{:x}", sent.get())).await;
            assert!([200, 404].contains(&collector.get(SEARCH).await.status().as_u16()));
            for path in ["/api/v3/services", "/api/v3/operations?service=order", "/api/logs", "/api/stats"] {
                collector.read(path).await;
            }
        });
        Ok(())
    });
    ran.unwrap();
}

/// The body of the answer if it is a refusal.
async fn post(collector: &Collector, path: &str, content_type: &str, body: Vec<u8>, gzipped: bool) -> Option<Vec<u8>> {
    let request = collector.post(path, content_type, body);
    let request = if gzipped { request.header("content-encoding", "gzip") } else { request };
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], content_type);
    match answer.status().as_u16() {
        200 => None,
        status => {
            assert_eq!(status, 400);
            Some(answer.bytes().await.unwrap().to_vec())
        }
    }
}

/// It must be an INVALID_ARGUMENT with a reason.
fn check_refusal(code: i32, message: &str) {
    assert_eq!(code, 3, "{message}");
    assert!(message.strip_prefix("malformed body: ").is_some_and(|reason| reason.len() > 5), "{message}");
}

/// Bodies in protobuf, most of them damaged.
fn protobuf() -> impl Strategy<Value = (Target, Vec<u8>, bool)> {
    let requests = prop_oneof![
        traces().prop_map(|request| (target_of::<ExportTraceServiceRequest>("/v1/traces"), request.encode_to_vec())),
        logs().prop_map(|request| (target_of::<ExportLogsServiceRequest>("/v1/logs"), request.encode_to_vec())),
        metrics()
            .prop_map(|request| (target_of::<ExportMetricsServiceRequest>("/v1/metrics"), request.encode_to_vec())),
    ];
    sent(requests)
}

/// Bodies in JSON, most of them damaged.
fn json() -> impl Strategy<Value = (Target, Vec<u8>, bool)> {
    let requests = prop_oneof![
        traces().prop_map(|request| ("/v1/traces", otlp_json::traces(&request))),
        logs().prop_map(|request| ("/v1/logs", otlp_json::logs(&request))),
        metrics().prop_map(|request| ("/v1/metrics", otlp_json::metrics::metrics(&request))),
    ];
    let is_request: fn(&[u8]) -> bool = |_| true;
    sent(requests.prop_map(move |(path, json)| ((path, is_request), json.to_string().into_bytes())))
}

/// Frames of gRPC, most of them damaged.
fn frames() -> impl Strategy<Value = (Target, Vec<u8>, bool)> {
    let requests = prop_oneof![
        traces().prop_map(|request| (
            target_of::<ExportTraceServiceRequest>("trace.v1.TraceService"),
            request.encode_to_vec()
        )),
        logs().prop_map(|request| (
            target_of::<ExportLogsServiceRequest>("logs.v1.LogsService"),
            request.encode_to_vec()
        )),
        metrics().prop_map(|request| {
            (target_of::<ExportMetricsServiceRequest>("metrics.v1.MetricsService"), request.encode_to_vec())
        }),
    ];
    (sent(requests), damage()).prop_map(|((target, message, gzipped), damage)| {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let mut frame = [&[u8::from(gzipped)], &length[..], &message].concat();
        do_damage(&mut frame, damage);
        (target, frame, gzipped)
    })
}

fn target_of<M: Message + Default>(path: &'static str) -> Target {
    (path, |body| M::decode(body).is_ok())
}

/// Damages requests before or after they are gzipped, or puts noise in their place.
fn sent(requests: impl Strategy<Value = (Target, Vec<u8>)>) -> impl Strategy<Value = (Target, Vec<u8>, bool)> {
    let noise = option::weighted(0.1, vec(any::<u8>(), 0..100));
    (requests, noise, damage(), damage(), any::<bool>()).prop_map(|((target, body), noise, before, after, gzipped)| {
        let mut body = noise.unwrap_or(body);
        do_damage(&mut body, before);
        if gzipped {
            body = gzip(&body);
            do_damage(&mut body, after);
        }
        (target, body, gzipped)
    })
}

/// Places, what to do there, and a byte to do it with.
fn damage() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    prop_oneof![Just(Vec::new()), vec((any::<Index>(), 0..4_u8, any::<u8>()), 1..4)]
}

fn do_damage(body: &mut Vec<u8>, damage: Vec<(Index, u8, u8)>) {
    for (place, kind, byte) in damage {
        let at = place.index(body.len() + 1);
        match kind {
            0 => body.insert(at, byte),
            1 => body.truncate(at),
            2 => drop(body.splice(at..body.len().min(at + 1), [byte])),
            _ => drop(body.drain(at..body.len().min(at + 1))),
        }
    }
}

fn inflated(mut decoder: impl Read) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    decoder.read_to_end(&mut inflated).ok()?;
    Some(inflated)
}

/// The one message in a frame of gRPC. There, what follows a member of gzip is ignored.
fn message_in(frame: &[u8], gzipped: bool) -> Option<Vec<u8>> {
    let ([flag, length @ ..], message) = frame.split_first_chunk::<5>()?;
    let whole = usize::try_from(u32::from_be_bytes(*length)) == Ok(message.len());
    match flag {
        0 if whole => Some(message.to_vec()),
        1 if whole && gzipped => inflated(GzDecoder::new(message)),
        _ => None,
    }
}
