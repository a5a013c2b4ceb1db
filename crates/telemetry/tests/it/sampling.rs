//! Which calls are recorded and exported: by method, by rate, by their callers, and by how they end.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use telemetry::testing::Spans;
use telemetry::{Decided, Environment, Sample, Sampling, Service, Telemetry, TrustTrace};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::context::plain;
use crate::kinds::{Client, client, handler, messages, serve, told};

mod exported;
mod kept;

const OFF: (&str, &str) = ("OTEL_TRACES_SAMPLER", "parentbased_always_off");
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A service that samples like this.
fn service(spans: &Spans, sampling: Sampling, variables: &[(&str, &str)]) -> Telemetry {
    let environment: Environment = variables.iter().copied().collect();
    spans.service_in(Service::new("test", "0").sampling(sampling), &environment)
}

/// A client that traces nothing, of a server that traces by `telemetry` and behaves as told.
async fn untraced(telemetry: &Telemetry) -> Client<Channel> {
    let layer = telemetry.rpc_server().trust(TrustTrace::All);
    plain(serve(layer, told(&Arc::new(Notify::new()))).await)
}

/// A request whose caller says whether his trace is sampled.
fn request(message: &str, sampled: bool) -> Request<String> {
    let mut request = Request::new(message.to_owned());
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-0{}", u8::from(sampled));
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request
}

/// The names of the first span of each trace.
async fn names(spans: &Spans) -> Vec<String> {
    spans.traces().await.iter().map(|trace| trace.spans()[0].name.clone()).collect()
}

#[track_caller]
fn assert_decided(telemetry: &Telemetry, reason: &str, sampled: u64, unsampled: u64) {
    let expected = Decided { reason: reason.to_owned(), sampled, unsampled };
    let decisions = telemetry.sampling().decisions;
    assert!(decisions.contains(&expected), "{expected:?} is not in {decisions:?}");
}

#[tokio::test]
async fn rules_of_code_and_environment_decide_by_method_and_say_so() {
    let spans = Spans::new();
    let coded = Sampling::new().method("test.v1.Kinds/*", Sample::Never).method("*", Sample::Always);
    let telemetry = service(&spans, coded, &[("TELEMETRY_SAMPLING_RULES", "*/Unary=1"), OFF]);
    let mut client = untraced(&telemetry).await;
    for kind in ["Unary", "Bidi", "Unary", "ServerStream"] {
        client.call(kind, "ok").await.unwrap();
    }
    assert_eq!(names(&spans).await, ["test.v1.Kinds/Unary"; 2]);
    assert_decided(&telemetry, "rule */Unary", 2, 0);
    assert_decided(&telemetry, "rule test.v1.Kinds/*", 0, 2);
    assert_decided(&telemetry, "rule *", 0, 0);
}

#[tokio::test]
async fn a_rule_names_an_http_route_or_the_span_itself() {
    let spans = Spans::new();
    let rules = Sampling::new().method("/orders/{id}", Sample::Never).method("POST *", Sample::Never);
    let telemetry = service(&spans, rules, &[]);
    let router =
        Router::new().route("/orders/{id}", get(|| async {})).route("/orders", get(|| async {}).post(|| async {}));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(axum::serve(listener, router.layer(telemetry.http_server())).into_future());
    let client = reqwest::Client::new();
    for request in [client.get(format!("http://{address}/orders/7")), client.post(format!("http://{address}/orders"))] {
        request.send().await.unwrap();
    }
    client.get(format!("http://{address}/orders")).send().await.unwrap();
    assert_eq!(names(&spans).await, ["GET /orders"]);
}

#[tokio::test]
async fn a_rule_says_nothing_of_a_trace_that_its_caller_has_decided() {
    let spans = Spans::new();
    let rules = Sampling::new().method("*/Unary", Sample::Never).method("*/Bidi", Sample::Always);
    let telemetry = service(&spans, rules, &[]);
    let mut client = untraced(&telemetry).await;
    client.send("Unary", request("ok", true)).await.unwrap();
    client.send("Bidi", request("ok", false)).await.unwrap();
    let traces = spans.traces().await;
    assert_eq!(traces[0].spans().len(), 1);
    assert_eq!((traces.len(), traces[0].spans()[0].trace_id.as_str()), (1, TRACE));
    assert_decided(&telemetry, "parent", 1, 1);
}

#[tokio::test]
async fn all_that_is_below_an_unsampled_call_is_unsampled_here_and_behind() {
    let spans = Spans::new();
    let telemetry = service(&spans, Sampling::new().method("*/Unary", Sample::Never), &[]);
    let behind = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&behind);
    let next = serve(
        telemetry.rpc_server().trust(TrustTrace::All),
        handler(move |request: Request<String>| {
            *seen.lock().unwrap() = request.metadata().get("traceparent").unwrap().to_str().unwrap().to_owned();
            async { Ok(messages([Ok(String::new())])) }
        }),
    )
    .await;
    let own = telemetry.clone();
    let first = serve(
        telemetry.rpc_server(),
        handler(move |_| {
            let mut next = client(&own, next);
            async move {
                work().await;
                next.call("Bidi", "").await?;
                Ok(messages([Ok(String::new())]))
            }
        }),
    )
    .await;
    let endpoint = Endpoint::from_shared(format!("http://{first}")).unwrap();
    let mut client = Client { inner: tonic::client::Grpc::new(endpoint.connect_lazy()) };
    client.call("Unary", "").await.unwrap();
    assert!(spans.traces().await.is_empty());
    let sent = behind.lock().unwrap().clone();
    assert!(sent.ends_with("-02"), "{sent} is random and not sampled");
}

#[tracing::instrument(skip_all)]
async fn work() {}

#[tokio::test]
async fn a_rate_leaves_the_same_to_a_rare_method_as_to_a_frequent_one() {
    let spans = Spans::new();
    let telemetry = service(&spans, Sampling::new().traces_per_second(4.0), &[]);
    let mut client = untraced(&telemetry).await;
    let start = Instant::now();
    for _ in 0..100 {
        client.call("Unary", "ok").await.unwrap();
    }
    // However long that took: its own traces, and those of one second more.
    let most = 4.0 * (1.0 + start.elapsed().as_secs_f64());
    let sampled = names(&spans).await.len();
    assert!(sampled >= 4 && sampled as f64 <= most, "{sampled} of at most {most}");
    let report = telemetry.sampling();
    assert_eq!(report.shares.iter().map(|share| share.method.as_str()).collect::<Vec<_>>(), ["test.v1.Kinds/Unary"]);
    assert_decided(&telemetry, "rate", sampled as u64, 100 - sampled as u64);
}

#[tokio::test]
async fn only_so_many_callers_a_second_force_their_traces() {
    let spans = Spans::new();
    let telemetry = service(&spans, Sampling::new(), &[OFF, ("TELEMETRY_FORCED_TRACES_PER_SECOND", "3")]);
    let mut client = untraced(&telemetry).await;
    let start = Instant::now();
    for _ in 0..50 {
        client.send("Unary", request("ok", true)).await.unwrap();
    }
    let most = 3.0 * (1.0 + start.elapsed().as_secs_f64());
    let sampled = spans.trace(TRACE).await.spans().len();
    assert!(sampled >= 3 && sampled as f64 <= most, "{sampled} of at most {most}");
    let refused = 50 - sampled as u64;
    assert_eq!(telemetry.sampling().refused, refused);
    assert_decided(&telemetry, "parent", sampled as u64, 0);
    assert_decided(&telemetry, "always_off", 0, refused);
}

#[tokio::test]
async fn a_disabled_service_passes_its_callers_decision_on_and_keeps_nothing() {
    let spans = Spans::new();
    let disabled = [("OTEL_SDK_DISABLED", "true"), ("TELEMETRY_KEEP_ERRORS", "true")];
    let telemetry = service(&spans, Sampling::new().method("*", Sample::Always), &disabled);
    let mut client = untraced(&telemetry).await;
    client.call("ServerStream", "error after").await.unwrap().end.unwrap_err();
    let report = telemetry.sampling();
    assert_eq!((report.settings.sampler, report.recorded), ("always_off", None));
    assert_decided(&telemetry, "always_off", 0, 0);
}

/// What a handler answers that fails as a server may not.
fn failure() -> Status {
    Status::internal("broken")
}
