//! Whose traces are marked to be kept.

use proto::gateway::v1::PlaceOrderRequest;
use telemetry::TrustTrace;
use tonic::{Code, Request, Response, Status};

use crate::fake_order::FakeOrder;
use crate::stage::{Stage, order};

/// An order with this `x-demo-keep`.
fn asking(keep: &'static str) -> Request<PlaceOrderRequest> {
    let mut request = Request::new(order());
    request.metadata_mut().insert("x-demo-keep", keep.parse().unwrap());
    request
}

/// Asserts what the trace of such an order says of `demo.keep`, the gateway's span first and its call second.
async fn check(trust: TrustTrace, keep: &'static str, expected: [Option<&str>; 2]) {
    let upstream = FakeOrder::start(|| Ok(Response::new(Vec::new()))).await;
    let stage = Stage::before(upstream.address, |config| config.trust_trace = trust).await;
    let answer = stage.client.clone().place_order(asking(keep)).await.unwrap();
    let trace = stage.trace(answer.metadata()).await;
    let kinds: Vec<_> = trace.spans().iter().map(|span| span.kind.as_str()).collect();
    assert_eq!(kinds, ["SERVER", "CLIENT"]);
    let marks: Vec<_> = trace.spans().iter().map(|span| span.attribute("demo.keep")).collect();
    assert_eq!(marks, expected, "{trust} {keep:?}");
}

#[tokio::test]
async fn a_caller_who_is_believed_marks_the_gateways_span_and_no_other() {
    check(TrustTrace::All, "1", [Some("true"), None]).await;
}

#[tokio::test]
async fn a_caller_who_is_not_believed_marks_nothing() {
    check(TrustTrace::None, "1", [None, None]).await;
}

#[tokio::test]
async fn only_a_1_counts() {
    for other in ["", "0", "true", "yes", "01", "1 1", "1,1"] {
        check(TrustTrace::All, other, [None, None]).await;
    }
    let stage = Stage::with(|| Ok(Response::new(Vec::new()))).await;
    let unasked = stage.trace(stage.place().await.unwrap().metadata()).await;
    assert_eq!(unasked.spans()[0].attribute("demo.keep"), None);
}

#[tokio::test]
async fn a_call_that_fails_is_marked_too() {
    let stage = Stage::with(|| Err(Status::new(Code::NotFound, ""))).await;
    let status = stage.client.clone().place_order(asking("1")).await.unwrap_err();
    assert_eq!(stage.trace(status.metadata()).await.spans()[0].attribute("demo.keep"), Some("true"));
}

#[tokio::test]
async fn the_order_service_does_not_hear_of_it() {
    let upstream = FakeOrder::start(|| Ok(Response::new(Vec::new()))).await;
    let stage = Stage::before(upstream.address, |_| {}).await;
    stage.client.clone().place_order(asking("1")).await.unwrap();
    let [metadata] = &upstream.metadata()[..] else { panic!("not asked once") };
    assert!(metadata.contains_key("traceparent") && !metadata.contains_key("x-demo-keep"), "{metadata:?}");
}
