//! Which calls make spans, what their spans carry, and that they arrive.

use std::sync::Arc;
use std::time::Duration;

use telemetry::testing::Spans;
use telemetry::{Environment, Service, TrustTrace};
use tokio::sync::Notify;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::kinds::{client, descriptors, handler, messages, serve, told};

#[tokio::test]
async fn an_unknown_method_does_not_name_a_span() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let layer = telemetry.rpc_server().trust(TrustTrace::All).methods(&descriptors(&["Unary"]));
    let address = serve(layer, told(&Arc::new(Notify::new()))).await;
    client(&telemetry, address).call("Nope", "").await.unwrap_err();
    client(&telemetry, address).call("Unary", "ok").await.unwrap();

    let traces = spans.traces().await;
    traces[0].assert_tree(
        "
        test CLIENT test.v1.Kinds/Nope ERROR [rpc.method=test.v1.Kinds/Nope, rpc.status_code=UNIMPLEMENTED]
          test SERVER grpc ERROR [rpc.method=_OTHER, rpc.method_original=test.v1.Kinds/Nope, rpc.status_code=UNIMPLEMENTED]
    ",
    );
    assert_eq!(traces[1].span("SERVER", "test.v1.Kinds/Unary").attribute("rpc.method_original"), None);
}

#[tokio::test]
async fn probes_make_no_span_on_either_side() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let address = serve(telemetry.rpc_server(), told(&Arc::new(Notify::new()))).await;
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = telemetry.rpc_client(&endpoint).layer(endpoint.connect_lazy());
    let probe = HealthCheckRequest { service: String::new() };
    let status = HealthClient::new(channel).check(probe).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "the call went through");
    assert!(spans.traces().await.is_empty());
}

#[tokio::test]
async fn a_call_has_exactly_the_attributes_of_the_conventions_and_what_time_it_has() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), told(&Arc::new(Notify::new()))).await;
    client(&telemetry, address).call("Unary", "ok").await.unwrap();

    let trace = &spans.traces().await[0];
    let keys = |kind: &str| {
        let span = trace.span(kind, "test.v1.Kinds/Unary");
        let mut keys: Vec<_> = span.attributes.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    };
    let client = ["rpc.method", "rpc.status_code", "rpc.system.name", "server.address", "server.port"];
    assert_eq!(keys("CLIENT"), client);
    // The caller set no deadline, so it is the server's default.
    let ours = ["grpc.timeout_ms", "network.peer.address", "network.peer.port"];
    assert_eq!(keys("SERVER"), [&ours[..], &client[..]].concat());
    assert_eq!(trace.span("SERVER", "test.v1.Kinds/Unary").attribute("grpc.timeout_ms"), Some("10000"));
    let span = trace.span("CLIENT", "test.v1.Kinds/Unary");
    assert_eq!(span.attribute("server.address"), Some("127.0.0.1"));
    assert_eq!(span.attribute("server.port"), Some(&*address.port().to_string()));
}

#[tokio::test]
async fn the_environment_names_the_service_and_decides_the_sampling() {
    let spans = Spans::new();
    let named: Environment = [("OTEL_SERVICE_NAME", "renamed")].into_iter().collect();
    let telemetry = spans.service_in(Service::new("test", "0"), &named);
    let off: Environment = [("OTEL_TRACES_SAMPLER", "always_off")].into_iter().collect();
    let silent = spans.service_in(Service::new("silent", "0"), &off);
    let address = serve(silent.rpc_server(), told(&Arc::new(Notify::new()))).await;
    client(&telemetry, address).call("Unary", "ok").await.unwrap();
    spans.traces().await[0].assert_tree("renamed CLIENT test.v1.Kinds/Unary");
}

#[tokio::test]
async fn flush_and_shutdown_end_within_their_limit_on_one_thread_and_twice() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let answer = handler(|_| async { Ok(messages([Ok(String::new())])) });
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), answer).await;
    client(&telemetry, address).call("Unary", "").await.unwrap();
    telemetry.flush(Duration::from_secs(1)).await;
    assert_eq!(telemetry.shutdown(Duration::from_secs(1)).await, telemetry.shutdown(Duration::from_secs(1)).await);
}
