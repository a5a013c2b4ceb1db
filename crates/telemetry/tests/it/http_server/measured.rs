//! The metrics of `docs/http/http-metrics.md`, semantic conventions 1.45.

use super::{site, site_in};

const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

const MEASURED: &str = "\
site http.server.active_requests [http.request.method=GET, url.scheme=http] 0
site http.server.request.duration [error.type=503, http.request.method=GET, http.response.status_code=503, http.route=/unavailable, network.protocol.version=1.1, url.scheme=http] count 1
site http.server.request.duration [error.type=panic, http.request.method=GET, http.response.status_code=500, http.route=/panics, network.protocol.version=1.1, url.scheme=http] count 1
site http.server.request.duration [http.request.method=GET, http.response.status_code=200, http.route=/orders/{id}, network.protocol.version=1.1, url.scheme=http] count 2
site http.server.request.duration [http.request.method=GET, http.response.status_code=404, network.protocol.version=1.1, url.scheme=http] count 1
";

#[tokio::test]
async fn requests_are_told_apart_by_what_their_server_knows() {
    let site = site(|layer| layer).await;
    for path in ["/orders/7", "/orders/8?a=b", "/nowhere", "/unavailable", "/panics"] {
        let _ = site.get(path).await;
    }
    assert_eq!(site.spans.metrics().await.render("http."), MEASURED);
}

#[tokio::test]
async fn a_duration_is_as_long_as_the_span_and_in_the_buckets_of_the_conventions() {
    let site = site(|layer| layer).await;
    site.get("/stream").await.1.unwrap();
    let span = site.span().await;
    let metrics = site.spans.metrics().await;
    let nanoseconds = (metrics.sum("http.server.request.duration", &[]) * 1e9).round() as u64;
    assert_eq!(nanoseconds, span.end - span.start);
    assert_eq!(metrics.boundaries("http.server.request.duration"), SECONDS);
}

#[tokio::test]
async fn requests_in_flight_are_counted_and_none_is_left_over() {
    let site = site(|layer| layer).await;
    let active = || site.spans.metrics_now().sum("http.server.active_requests", &[("http.request.method", "GET")]);
    tokio::select! {
        _ = site.get("/hangs") => panic!("there is no answer"),
        () = site.entered.notified() => assert_eq!(active(), 1.0),
    }
    let mut answer = reqwest::get(site.url("/endless")).await.unwrap();
    answer.chunk().await.unwrap();
    assert!(active() >= 1.0);
    drop(answer);
    // Waits until there is none.
    let metrics = site.spans.metrics().await;
    assert_eq!(active(), 0.0);
    assert_eq!(metrics.count("http.server.request.duration", &[("error.type", "cancelled")]), 2);
}

#[tokio::test]
async fn without_metrics_there_are_spans() {
    let site = site_in(&[("OTEL_METRICS_EXPORTER", "none")], |layer| layer).await;
    site.get("/orders/7").await.1.unwrap();
    assert_eq!(site.span().await.name, "GET /orders/{id}");
    assert_eq!(site.spans.metrics().await.render(""), "");
}
