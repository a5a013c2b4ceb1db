//! What is measured of calls beside how they end (`outcomes`): which series there are, how long, and how many at once.

use std::sync::Arc;

use http_body_util::BodyExt;
use telemetry::testing::Spans;
use telemetry::{Environment, Metric, Service, Telemetry, TrustTrace};
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::{Code, GrpcMethod, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_layer::Layer;
use tower_service::Service as _;

use crate::kinds::{KINDS, Kinds, client, descriptors, handler, serve, told};

const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The codes from 1 on.
const NAMES: [&str; 16] = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn service(spans: &Spans, settings: &[(&str, &str)]) -> Telemetry {
    let environment: Environment = settings.iter().copied().collect();
    spans.service_in(Service::new("test", "0"), &environment)
}

/// Serves all kinds and makes one unary call.
async fn call(telemetry: &Telemetry, message: &str) -> Result<(), Status> {
    let layer = telemetry.rpc_server().trust(TrustTrace::All).methods(&descriptors(&KINDS));
    let address = serve(layer, told(&Arc::new(Notify::new()))).await;
    client(telemetry, address).call("Unary", message).await.and_then(|answer| answer.end)
}

/// A request for `path`, and the answer of a server that sees it through.
async fn ask<S, R>(server: &mut S, path: &str)
where
    S: tower_service::Service<http::Request<Body>, Response = http::Response<R>, Error = Status>,
    R: http_body::Body<Data = bytes::Bytes, Error = Status>,
{
    let request = http::Request::post(path).header("content-type", "application/grpc").body(Body::empty()).unwrap();
    server.call(request).await.unwrap().into_body().collect().await.unwrap();
}

#[tokio::test]
async fn a_duration_is_as_long_as_the_span_and_in_the_buckets_of_the_conventions() {
    let spans = Spans::new();
    call(&service(&spans, &[]), "ok").await.unwrap();
    let traces = spans.traces().await;
    let metrics = spans.metrics().await;
    for (kind, name) in [("CLIENT", "rpc.client.call.duration"), ("SERVER", "rpc.server.call.duration")] {
        let span = traces[0].span(kind, "test.v1.Kinds/Unary");
        let nanoseconds = (metrics.sum(name, &[]) * 1e9).round() as u64;
        assert_eq!(nanoseconds, span.end - span.start, "{kind}");
        assert_eq!(metrics.boundaries(name), SECONDS, "{kind}");
    }
}

#[tokio::test]
async fn every_code_is_the_error_of_the_sides_whose_error_it_is() {
    let fail = handler(|request| async move {
        Err(Status::new(Code::from_i32(request.into_inner().parse().unwrap()), "as asked"))
    });
    let spans = Spans::new();
    let telemetry = service(&spans, &[]);
    let address = serve(telemetry.rpc_server().methods(&descriptors(&KINDS)), fail).await;
    let errors_of_servers = [2, 4, 12, 13, 14, 15];
    for number in 1..=16 {
        let status = client(&telemetry, address).call("Unary", &number.to_string()).await.unwrap_err();
        assert_eq!(status.code() as i32, number);
    }
    let metrics = spans.metrics().await;
    for number in 1..=16 {
        let name = NAMES[number - 1];
        let count = |metric, error: &[_]| metrics.count(metric, &[&[("rpc.status_code", name)], error].concat());
        let (client, server) = ("rpc.client.call.duration", "rpc.server.call.duration");
        assert_eq!((count(client, &[]), count(server, &[])), (1, 1), "{name}");
        assert_eq!(count(client, &[("error.type", name)]), 1, "{name}");
        assert_eq!(count(server, &[("error.type", name)]), u64::from(errors_of_servers.contains(&number)), "{name}");
    }
}

#[tokio::test]
async fn a_call_that_is_not_sampled_is_measured() {
    let spans = Spans::new();
    call(&service(&spans, &[("OTEL_TRACES_SAMPLER", "always_off")]), "error before").await.unwrap_err();
    assert!(spans.traces().await.is_empty());
    let metrics = spans.metrics().await;
    let ended = [("rpc.method", "test.v1.Kinds/Unary"), ("rpc.status_code", "NOT_FOUND")];
    assert_eq!(metrics.count("rpc.client.call.duration", &[&ended[..], &[("error.type", "NOT_FOUND")]].concat()), 1);
    assert_eq!(metrics.count("rpc.server.call.duration", &ended), 1);
    assert_eq!(metrics.count("rpc.server.call.duration", &[("error.type", "NOT_FOUND")]), 0);
}

#[tokio::test]
async fn a_probe_makes_no_span_and_is_measured() {
    let spans = Spans::new();
    let telemetry = service(&spans, &[]);
    let layer = telemetry.rpc_server().methods(&descriptors(&KINDS));
    let address = serve(layer, told(&Arc::new(Notify::new()))).await;
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = telemetry.rpc_client(&endpoint).layer(endpoint.connect_lazy());
    let probe = HealthCheckRequest { service: String::new() };
    let status = HealthClient::new(channel).check(probe).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);

    let metrics = spans.metrics().await;
    let ended = [
        ("rpc.method", "grpc.health.v1.Health/Check"),
        ("rpc.status_code", "UNIMPLEMENTED"),
        ("error.type", "UNIMPLEMENTED"),
    ];
    assert_eq!(metrics.count("rpc.client.call.duration", &ended), 1);
    assert_eq!(metrics.count("rpc.server.call.duration", &ended), 1);
    assert!(spans.traces().await.is_empty());
}

const UNKNOWN: &str = "\
test rpc.server.active_calls [rpc.method=_OTHER, rpc.system.name=grpc] 0
test rpc.server.call.duration [error.type=UNIMPLEMENTED, rpc.method=_OTHER, rpc.status_code=UNIMPLEMENTED, rpc.system.name=grpc] count 10000
";

#[tokio::test]
async fn ten_thousand_invented_paths_make_one_series() {
    let described = descriptors(&KINDS);
    for described in [Some(&described), None] {
        let spans = Spans::new();
        let layer = service(&spans, &[("OTEL_TRACES_SAMPLER", "always_off")]).rpc_server();
        let layer = described.into_iter().fold(layer, |layer, described| layer.methods(described));
        let mut server = layer.layer(Kinds { handler: told(&Arc::new(Notify::new())) });
        for number in 0..10_000 {
            let service = ["test.v1.Kinds", "shop.v9", "grpc.health.v1.Health"][number % 3];
            ask(&mut server, &format!("/{service}/{number}")).await;
        }
        assert_eq!(spans.metrics().await.render("rpc."), UNKNOWN);
    }
}

#[tokio::test]
async fn without_descriptors_a_method_is_known_once_it_has_answered_ok() {
    let spans = Spans::new();
    let telemetry = service(&spans, &[]);
    let address = serve(telemetry.rpc_server(), told(&Arc::new(Notify::new()))).await;
    for message in ["error before", "ok", "error before"] {
        let _ = client(&telemetry, address).call("Unary", message).await;
    }
    let metrics = spans.metrics().await;
    let count =
        |method, code| metrics.count("rpc.server.call.duration", &[("rpc.method", method), ("rpc.status_code", code)]);
    assert_eq!(count("_OTHER", "NOT_FOUND"), 1);
    assert_eq!(count("test.v1.Kinds/Unary", "OK"), 1);
    assert_eq!(count("test.v1.Kinds/Unary", "NOT_FOUND"), 1);
}

#[tokio::test]
async fn a_clients_methods_are_those_of_generated_code_and_not_endless() {
    let spans = Spans::new();
    let endpoint = Endpoint::from_static("http://shop.example:50051");
    let layer = service(&spans, &[("OTEL_TRACES_SAMPLER", "always_off")]).rpc_client(&endpoint);
    let mut client = layer.layer(Kinds { handler: told(&Arc::new(Notify::new())) });
    ask(&mut client, "/invented.Service/Method").await;
    for number in 0..300 {
        let mut request = http::Request::post("/").body(Body::empty()).unwrap();
        let method: &'static str = Box::leak(number.to_string().into_boxed_str());
        request.extensions_mut().insert(GrpcMethod::new("generated.Service", method));
        drop(client.call(request).await.unwrap());
    }
    let metrics = spans.metrics().await;
    assert_eq!(metrics.count("rpc.client.call.duration", &[("server.address", "shop.example")]), 301);
    assert_eq!(metrics.count("rpc.client.call.duration", &[("rpc.method", "generated.Service/7")]), 1);
    assert_eq!(metrics.count("rpc.client.call.duration", &[("rpc.method", "invented.Service/Method")]), 0);
    assert_eq!(metrics.count("rpc.client.call.duration", &[("rpc.method", "_OTHER")]), 1 + 300 - 256);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_end_at_once_are_all_counted() {
    let spans = Spans::new();
    let telemetry = service(&spans, &[]);
    let layer = telemetry.rpc_server().methods(&descriptors(&KINDS));
    let address = serve(layer, told(&Arc::new(Notify::new()))).await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let mut client = client(&telemetry, address);
            telemetry::spawn(async move {
                for _ in 0..25 {
                    client.call("Unary", "ok").await.unwrap().end.unwrap();
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let metrics = spans.metrics().await;
    assert_eq!(metrics.count("rpc.server.call.duration", &[("rpc.status_code", "OK")]), 400);
    assert_eq!(metrics.count("rpc.client.call.duration", &[("rpc.status_code", "OK")]), 400);
    assert_eq!(metrics.sum("rpc.server.active_calls", &[]), 0.0);
}

#[tokio::test]
async fn a_call_that_is_never_made_is_measured() {
    let spans = Spans::new();
    let telemetry = service(&spans, &[]);
    let layer = telemetry.rpc_server().methods(&descriptors(&KINDS));
    let never = handler(|_| async { panic!("is not reached") });
    let address = serve(layer, never).await;
    let mut request = Request::new(String::new());
    request.set_timeout(std::time::Duration::ZERO);
    let status = client(&telemetry, address).send("Unary", request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let late = [("rpc.status_code", "DEADLINE_EXCEEDED"), ("error.type", "DEADLINE_EXCEEDED")];
    assert_eq!(spans.metrics().await.count("rpc.client.call.duration", &late), 1);
}

#[tokio::test]
async fn without_metrics_calls_go_on_and_nothing_is_measured() {
    let spans = Spans::new();
    let telemetry = service(&spans, &[("OTEL_METRICS_EXPORTER", "none")]);
    call(&telemetry, "ok").await.unwrap();
    let orders = Metric { name: "shop.orders", unit: "{order}", description: "" };
    telemetry.counter(orders).add(1, &[]);
    assert_eq!(spans.metrics().await.render(""), "");
    assert_eq!(spans.traces().await[0].spans().len(), 2);
}
