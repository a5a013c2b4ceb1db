//! Routers other than axum's, and services that are none.

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::routing::get;
use telemetry::testing::Spans;
use tower_layer::Layer;
use tower_service::Service;

use super::{ask, routes, service};

fn of(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_nested_routers_route_is_whole() {
    let spans = Spans::new();
    let inner = Router::new().route("/{id}", get(|| async { "paid" }));
    let mut router = Router::new().nest("/orders", inner).layer(service(&spans, &[]).http_server());
    drop(ask(&mut router, of("/orders/7")).await);
    spans.traces().await[0].assert_tree("site SERVER GET /orders/{id} [http.route=/orders/{id}]");
}

#[tokio::test]
async fn a_layer_on_routes_alone_sees_no_request_without_one() {
    let spans = Spans::new();
    let mut router = routes(&Default::default()).route_layer(service(&spans, &[]).http_server());
    drop(ask(&mut router, of("/nowhere")).await);
    drop(ask(&mut router, of("/empty")).await);
    let traces = spans.traces().await;
    assert_eq!(traces.len(), 1);
    traces[0].assert_tree("site SERVER GET /empty");
}

#[tokio::test]
async fn another_routers_route_comes_by_a_rule() {
    let spans = Spans::new();
    let layer = service(&spans, &[]).http_server().route(|request| {
        let (first, _) = request.uri.path()[1..].split_once('/')?;
        (first == "orders").then(|| "/orders/:id".to_owned())
    });
    // Outside of the router, which tells a layer there nothing.
    let mut service = layer.layer(routes(&Default::default()));
    drop(ask(&mut service, of("/orders/7")).await);
    drop(ask(&mut service, of("/else/7")).await);
    let traces = spans.traces().await;
    traces[0].assert_tree("site SERVER GET /orders/:id [http.route=/orders/:id]\n  site INTERNAL order");
    traces[1].assert_tree("site SERVER GET [http.response.status_code=404]");
}

#[tokio::test]
async fn a_rule_that_panics_costs_no_request() {
    let spans = Spans::new();
    let layer = service(&spans, &[]).http_server().route(|_| panic!("no idea")).quiet(|_| panic!("none either"));
    let answer = ask(&mut layer.layer(routes(&Default::default())), of("/empty")).await;
    assert_eq!(answer.status(), 204);
    drop(answer);
    spans.traces().await[0].assert_tree("site SERVER GET [http.response.status_code=204]");
}

#[tokio::test]
async fn routes_without_end_share_the_series_of_none() {
    let spans = Spans::new();
    let layer = service(&spans, &[("OTEL_TRACES_SAMPLER", "always_off")]).http_server();
    let mut service = layer.route(|request| Some(request.uri.path().to_owned())).layer(routes(&Default::default()));
    for number in 0..300 {
        drop(ask(&mut service, of(&format!("/{number}"))).await);
    }
    let metrics = spans.metrics().await;
    assert_eq!(metrics.count("http.server.request.duration", &[]), 300);
    assert_eq!(metrics.render("http.server.request.duration").lines().count(), 257);
}

/// Answers nothing.
#[derive(Clone)]
struct Failing;

impl Service<Request<Body>> for Failing {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = Ready<Result<Response<Body>, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert_ne!(request.uri().path(), "/panics", "before there is a future");
        ready(Err(io::Error::other("no answer")))
    }
}

#[tokio::test]
async fn an_error_in_place_of_an_answer_is_passed_on() {
    let spans = Spans::new();
    let mut failing = service(&spans, &[]).http_server().layer(Failing);
    assert_eq!(failing.call(of("/7")).await.err().unwrap().to_string(), "no answer");
    spans.traces().await[0].assert_tree("site SERVER GET ERROR [error.type=_OTHER]");
}

#[tokio::test]
async fn a_service_that_panics_at_once_is_answered_for() {
    let spans = Spans::new();
    let mut failing = service(&spans, &[]).http_server().layer(Failing);
    assert_eq!(failing.call(of("/panics")).await.unwrap().status(), 500);
    spans.traces().await[0].assert_tree("site SERVER GET ERROR [error.type=panic, http.response.status_code=500]");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_cancelled_and_one_without_a_body_is_whole() {
    let spans = Spans::new();
    let mut router = routes(&Default::default()).layer(service(&spans, &[]).http_server());
    drop(ask(&mut router, of("/stream")).await);
    drop(ask(&mut router, of("/unavailable")).await);
    let traces = spans.traces().await;
    traces[0].assert_tree("site SERVER GET /stream [error.type=cancelled, http.response.status_code=200]");
    traces[1].assert_tree("site SERVER GET /unavailable ERROR [error.type=503, http.response.status_code=503]");
}
