//! Each decision is made and counted once, however much is below it.

use axum::Router;
use axum::routing::any;
use telemetry::{Decided, HttpCall, Sample, Sampling};
use tokio::net::TcpListener;

use super::*;

fn sampling(spans: &Spans, sampling: Sampling, settings: &[(&str, &str)]) -> Telemetry {
    let environment: Environment = settings.iter().copied().collect();
    spans.service_in(Service::new("test", "0").sampling(sampling), &environment)
}

/// The reasons that have decided anything, with how much they sampled and did not.
fn decided(telemetry: &Telemetry) -> Vec<(String, u64, u64)> {
    let counted = |Decided { reason, sampled, unsampled }| (reason, sampled, unsampled);
    let all = telemetry.sampling().decisions.into_iter().map(counted);
    all.filter(|(_, sampled, unsampled)| sampled + unsampled > 0).collect()
}

/// A span of each kind below the call.
async fn busy(telemetry: &Telemetry) {
    step("own").await;
    telemetry::spawn(step("spawned")).await.unwrap();
    telemetry.producer("outbox", "orders").send().succeed();
    ask_nobody(telemetry).await;
}

/// A request's span: there is nobody to answer.
async fn ask_nobody(telemetry: &Telemetry) {
    let client = telemetry.http_client(reqwest::Client::new());
    let request = client.get_ref().get("http://127.0.0.1:0/nobody").build().unwrap();
    client.execute(request, HttpCall { url_template: "/nobody", resend_count: 0 }).await.unwrap_err();
}

#[tokio::test]
async fn a_trace_is_decided_of_once() {
    let spans = Spans::new();
    let telemetry = sampling(&spans, Sampling::new(), &[]);
    serve_here(&telemetry, "00", busy(&telemetry)).await;
    serve_here(&telemetry, "01", busy(&telemetry)).await;
    assert_eq!(decided(&telemetry), [("parent".to_owned(), 1, 1)]);
    serve_by(telemetry.rpc_server(), &[("traceparent", &parent("00"))], busy(&telemetry)).await;
    assert_eq!(decided(&telemetry), [("parent".to_owned(), 1, 1), ("always_on".to_owned(), 1, 0)]);
    // One without a parent of its own.
    ask_nobody(&telemetry).await;
    telemetry.producer("outbox", "orders").send().succeed();
    assert_eq!(decided(&telemetry)[1], ("always_on".to_owned(), 3, 0));
}

#[tokio::test]
async fn an_allowance_is_taken_from_once_a_call() {
    let spans = Spans::new();
    let telemetry = sampling(&spans, Sampling::new().traces_per_second(1e6), &[]);
    for _ in 0..3 {
        serve_by(telemetry.rpc_server(), &[], busy(&telemetry)).await;
    }
    let rate = decided(&telemetry);
    assert!(rate.len() == 1 && rate[0].0 == "rate" && rate[0].1 + rate[0].2 == 3, "{rate:?}");

    let spans = Spans::new();
    let forced = Sampling::new().forced_per_second(1e-9);
    let telemetry = sampling(&spans, forced, &[OFF]);
    for _ in 0..3 {
        serve_here(&telemetry, "01", busy(&telemetry)).await;
    }
    let report = telemetry.sampling();
    let parents = decided(&telemetry).iter().find(|(reason, ..)| reason == "parent").map_or(0, |(_, taken, _)| *taken);
    assert_eq!(parents + report.refused, 3);
    assert_eq!(exported(&spans).await.iter().filter(|name| name.contains("SERVER")).count() as u64, parents);
}

#[tokio::test]
async fn a_rule_finds_http_requests_by_route_and_by_name() {
    let rules = [("/orders/{id}", 2), ("HTTP /orders/{id}", 1), ("GET *", 1), ("/none", 0), ("grpc", 0)];
    for (rule, matching) in rules {
        let spans = Spans::new();
        let telemetry = sampling(&spans, Sampling::new().method(rule, Sample::Never), &[]);
        let router = Router::new().route("/orders/{id}", any(|| async {})).layer(telemetry.http_server());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/orders/7", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
        tokio::spawn(axum::serve(listener, router).into_future());
        for method in ["GET", "BREW"] {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            reqwest::Client::new().request(method, &url).send().await.unwrap();
        }
        assert_eq!(exported(&spans).await.len(), 2 - matching, "{rule}");
    }
}

#[tokio::test]
async fn a_rule_finds_calls_of_unknown_methods_by_what_stands_for_them() {
    for (rule, is_found) in [("_OTHER", true), ("grpc", true), ("test.v1.Kinds/*", false)] {
        let spans = Spans::new();
        let telemetry = sampling(&spans, Sampling::new().method(rule, Sample::Never), &[]);
        let layer = telemetry.rpc_server().methods(&crate::kinds::descriptors(&["Bidi"]));
        serve_by(layer, &[], async {}).await;
        assert_eq!(exported(&spans).await.is_empty(), is_found, "{rule}");
    }
}
