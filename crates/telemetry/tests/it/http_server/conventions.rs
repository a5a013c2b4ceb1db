//! The names and attributes of `docs/http/http-spans.md`, semantic conventions 1.45.

use axum::body::Body;
use axum::http::{Request, Version};
use telemetry::testing::Spans;
use telemetry::{ProxyHeaders, TrustTrace};

use super::{Site, ask, routes, service, site, site_in};

#[tokio::test]
async fn a_request_is_one_server_span_with_the_conventions_attributes() {
    let site = site(|layer| layer).await;
    let client = reqwest::Client::builder().user_agent("test/1").build().unwrap();
    let (status, _) = site.send(client.get(site.url("/orders/7?page=2"))).await;
    assert_eq!(status, 200);

    let span = site.span().await;
    assert_eq!((span.name.as_str(), span.is_error), ("GET /orders/{id}", false));
    let mut attributes = span.attributes.clone();
    attributes.sort();
    let port = site.address.port().to_string();
    let peer = span.attribute("network.peer.port").unwrap().to_owned();
    assert_ne!(peer, port);
    let expected = [
        ("client.address", "127.0.0.1"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/orders/{id}"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", &peer),
        ("network.protocol.version", "1.1"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("url.path", "/orders/7"),
        ("url.query", "page=2"),
        ("url.scheme", "http"),
        ("user_agent.original", "test/1"),
    ];
    assert_eq!(attributes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn over_http2_the_server_is_named_by_the_authority() {
    let spans = Spans::new();
    let mut router = routes(&Default::default()).layer(service(&spans, &[]).http_server());
    let request = Request::get("https://[::1]:444/orders/7").version(Version::HTTP_2).body(Body::empty()).unwrap();
    drop(ask(&mut router, request).await);
    let trace = spans.traces().await.remove(0);
    trace.assert_tree(
        "
        site SERVER GET /orders/{id} [network.protocol.version=2, server.address=::1, server.port=444, url.scheme=https]
          site INTERNAL order
    ",
    );
}

#[tokio::test]
async fn a_request_without_a_route_is_named_by_its_method_alone() {
    let site = site(|layer| layer).await;
    let (status, _) = site.get("/etc/passwd").await;
    assert_eq!(status, 404);
    let span = site.span().await;
    assert_eq!((span.name.as_str(), span.is_error), ("GET", false));
    assert_eq!(span.attribute("http.route"), None);
    assert_eq!(span.attribute("url.path"), Some("/etc/passwd"));
    assert_eq!(span.attribute("error.type"), None);
}

#[tokio::test]
async fn a_method_that_the_route_does_not_have_is_the_callers_mistake() {
    let site = site(|layer| layer).await;
    let (status, _) = site.send(reqwest::Client::new().delete(site.url("/orders/7"))).await;
    assert_eq!(status, 405);
    let span = site.span().await;
    assert_eq!((span.name.as_str(), span.is_error), ("DELETE /orders/{id}", false));
    assert_eq!(span.attribute("error.type"), None);
}

async fn brewed(site: &Site) {
    let brew = reqwest::Method::from_bytes(b"BREW").unwrap();
    let (status, _) = site.send(reqwest::Client::new().request(brew, site.url("/orders/7"))).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn an_unknown_method_is_other_and_keeps_its_name_aside() {
    let site = site(|layer| layer).await;
    brewed(&site).await;
    let span = site.span().await;
    assert_eq!(span.name, "HTTP /orders/{id}");
    assert_eq!(span.attribute("http.request.method"), Some("_OTHER"));
    assert_eq!(span.attribute("http.request.method_original"), Some("BREW"));
}

#[tokio::test]
async fn the_environment_says_which_methods_are_known() {
    let site = site_in(&[("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "BREW")], |layer| layer).await;
    brewed(&site).await;
    let span = site.span().await;
    assert_eq!(span.name, "BREW /orders/{id}");
    assert_eq!(span.attribute("http.request.method"), Some("BREW"));
    assert_eq!(span.attribute("http.request.method_original"), None);
}

#[tokio::test]
async fn what_grants_access_is_not_told() {
    let site = site(|layer| layer).await;
    site.get("/orders/7?q=1&sig=secret&X-Amz-Signature=secret&x-amz-security-token=secret").await.1.unwrap();
    let span = site.span().await;
    let query = "q=1&sig=REDACTED&X-Amz-Signature=REDACTED&x-amz-security-token=REDACTED";
    assert_eq!(span.attribute("url.query"), Some(query));
    assert!(!format!("{span:?}").contains("secret"), "{span:?}");
}

#[tokio::test]
async fn texts_from_outside_are_cut() {
    let site = site(|layer| layer).await;
    let long = "x".repeat(4000);
    let request = reqwest::Client::new().get(site.url(&format!("/{long}?{long}"))).header("user-agent", &long);
    site.send(request).await.1.unwrap();
    let span = site.span().await;
    for key in ["url.path", "url.query", "user_agent.original"] {
        assert_eq!(span.attribute(key).unwrap().len(), 256, "{key}");
    }
}

const BEFORE_THE_PROXY: [(&str, &str); 4] = [
    ("x-forwarded-for", "6.6.6.6, 192.0.2.4"),
    ("x-forwarded-host", "shop.example:444"),
    ("x-forwarded-proto", "https"),
    ("forwarded", "for=6.6.6.6;host=evil.example"),
];

async fn forwarded(site: &Site) -> [Option<String>; 5] {
    let request = reqwest::Client::new().get(site.url("/orders/7"));
    let request = BEFORE_THE_PROXY.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    site.send(request).await.1.unwrap();
    let span = site.span().await;
    let keys = ["client.address", "network.peer.address", "server.address", "server.port", "url.scheme"];
    keys.map(|key| span.attribute(key).map(str::to_owned))
}

#[tokio::test]
async fn a_proxy_is_believed_if_it_is_ones_own() {
    let trusting = site(|layer| layer.behind_proxies(1, ProxyHeaders::XForwarded)).await;
    let expected = ["192.0.2.4", "127.0.0.1", "shop.example", "444", "https"];
    assert_eq!(forwarded(&trusting).await, expected.map(|value| Some(value.to_owned())));

    let open = site(|layer| layer.over_tls()).await;
    let port = open.address.port().to_string();
    let expected = ["127.0.0.1", "127.0.0.1", "127.0.0.1", &port, "https"];
    assert_eq!(forwarded(&open).await, expected.map(|value| Some(value.to_owned())));
}

#[tokio::test]
async fn ten_thousand_invented_requests_make_few_names_and_series() {
    let spans = Spans::new();
    let mut router = routes(&Default::default()).layer(service(&spans, &[]).http_server().trust(TrustTrace::All));
    for number in 0..10_000 {
        let path = [format!("/{number}"), format!("/orders/{number}"), format!("/orders/{number}/x{number}")];
        let method = if number % 2 == 0 { "GET".to_owned() } else { format!("M{number}") };
        // All in one trace, so that they are found as one.
        let request = Request::builder()
            .uri(&path[number % 3])
            .method(method.as_str())
            .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        drop(ask(&mut router, request.body(Body::empty()).unwrap()).await);
    }
    let trace = spans.trace("4bf92f3577b34da6a3ce929d0e0e4736").await;
    let mut names: Vec<_> = trace.spans().iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["GET", "GET /orders/{id}", "HTTP", "HTTP /orders/{id}", "order"]);
    let metrics = spans.metrics().await;
    assert_eq!(metrics.count("http.server.request.duration", &[]), 10_000);
    assert_eq!(metrics.render("http.server.request.duration").lines().count(), 4, "{}", metrics.render(""));
}
