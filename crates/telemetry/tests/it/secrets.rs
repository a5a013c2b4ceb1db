//! What is secret leaves by no span, log record or metric, wherever it stands: metadata, URLs, SQL, errors, panics.

use std::net::SocketAddr;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use sqlx::AssertSqlSafe;
use telemetry::testing::{SpanRecord, Spans};
use telemetry::{Environment, HttpCall, Secret, Service, Telemetry, TrustTrace};
use tokio::net::TcpListener;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use crate::kinds::{Client, Handler, handler, messages, serve};

const SECRET: &str = "hunter2";

/// Keys of metadata that may hold secrets by their names.
const DENIED: [&str; 12] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "access-token-bin",
    "client_secret",
    "db.password",
    "x-amz-security-token",
    "x-csrf",
    "x-session-id",
];

#[derive(Debug, thiserror::Error)]
#[error("card {0} was refused")]
struct Refused(Secret<String>);

fn secret() -> Secret<String> {
    Secret::new(SECRET.to_owned())
}

/// A request with the secret under every denied key, under one that is not listed, and in the baggage.
fn request() -> Request<String> {
    let mut request = Request::new(SECRET.to_owned());
    let metadata = request.metadata_mut();
    for key in DENIED.into_iter().chain(["x-not-listed"]).filter(|key| !key.ends_with("-bin")) {
        metadata.insert(key, SECRET.parse().unwrap());
    }
    metadata.insert("baggage", format!("card={SECRET}").parse().unwrap());
    metadata.insert_bin("access-token-bin", tonic::metadata::MetadataValue::from_bytes(SECRET.as_bytes()));
    metadata.append("x-tenant", "acme".parse().unwrap());
    metadata.append("x-tenant", "emca".parse().unwrap());
    metadata.insert_bin("x-blob-bin", tonic::metadata::MetadataValue::from_bytes(&[0, 1, 2]));
    request
}

/// Every key that a careless reader might list.
fn listed() -> Vec<&'static str> {
    DENIED.into_iter().chain(["X-Tenant", "x-blob-bin"]).collect()
}

/// Calls a handler of a service that captures all that is listed, on either side.
async fn call(spans: &Spans, handler: Handler) -> Result<(), Status> {
    let telemetry = spans.service(Service::new("test", "0"));
    let server = telemetry.rpc_server().trust(TrustTrace::All);
    let server = server.capture_request_headers(listed()).capture_response_headers(listed());
    let endpoint = Endpoint::from_shared(format!("http://{}", serve(server, handler).await)).unwrap();
    let client = telemetry.rpc_client(&endpoint);
    let client = client.capture_request_headers(listed()).capture_response_headers(listed());
    let inner = tonic::client::Grpc::new(client.layer(endpoint.connect_lazy()));
    Client { inner }.send("Unary", request()).await.map(drop)
}

#[track_caller]
fn check(span: &SpanRecord, key: &str, expected: &str) {
    assert_eq!(span.attribute(key), Some(expected), "{key} of {span:?}");
}

#[tokio::test]
async fn metadata_is_shown_by_list_and_never_that_of_secrets() {
    let spans = Spans::new();
    let refuse = handler(|request: Request<String>| async move {
        let mut status = Status::not_found("no such card");
        *status.metadata_mut() = request.metadata().clone();
        Err(status)
    });
    call(&spans, refuse).await.unwrap_err();
    let trace = spans.assert_one_trace().await;
    trace.assert_no_orphans();
    for span in trace.spans() {
        check(span, "rpc.request.header.x-tenant", r#"["acme","emca"]"#);
        check(span, "rpc.request.header.x-blob-bin", r#"["AAEC"]"#);
        check(span, "rpc.response.header.x-tenant", r#"["acme","emca"]"#);
        let headers = span.attributes.iter().filter(|(key, _)| key.contains(".header."));
        assert_eq!(headers.count(), 4, "{span:?}");
    }
    spans.assert_no_secrets(&[SECRET, "aHVudGVyM"]).await;
}

#[tokio::test]
async fn metadata_of_trailers_is_shown_as_theirs() {
    let spans = Spans::new();
    let fail_late = handler(|request: Request<String>| async move {
        let mut status = Status::aborted("too late");
        *status.metadata_mut() = request.metadata().clone();
        Ok(messages([Ok("one".to_owned()), Err(status)]))
    });
    let telemetry = spans.service(Service::new("test", "0"));
    let server = telemetry.rpc_server().capture_response_headers(listed());
    let endpoint = Endpoint::from_shared(format!("http://{}", serve(server, fail_late).await)).unwrap();
    let client = telemetry.rpc_client(&endpoint).capture_response_headers(listed());
    let inner = tonic::client::Grpc::new(client.layer(endpoint.connect_lazy()));
    Client { inner }.send("Bidi", request()).await.unwrap().end.unwrap_err();
    for trace in spans.traces().await {
        check(&trace.spans()[0], "rpc.response.trailer.x-tenant", r#"["acme","emca"]"#);
    }
    spans.assert_no_secrets(&[SECRET, "aHVudGVyM"]).await;
}

#[tracing::instrument(fields(card = %card))]
async fn pay(card: Secret<String>) -> Result<(), Refused> {
    tracing::warn!(?card, "paying with {card}");
    Err(Refused(card))
}

#[tokio::test]
async fn secrets_in_errors_and_panics_are_hidden() {
    for is_panic in [false, true] {
        let spans = Spans::new();
        let fail = handler(move |_| async move {
            let error = pay(secret()).await.unwrap_err();
            assert!(!is_panic, "cannot pay: {error:?} {error}");
            let mut status = Status::internal(error.to_string());
            status.set_source(std::sync::Arc::new(error));
            Err(status)
        });
        call(&spans, fail).await.unwrap_err();
        let trace = spans.assert_one_trace().await;
        let server = trace.span("SERVER", "test.v1.Kinds/Unary");
        let (name, attributes) = &server.events[0];
        assert_eq!(name, "exception");
        assert!(attributes[0].1.contains("card [secret] was refused"), "{attributes:?}");
        assert_eq!(spans.logs().len(), 2, "{:?}", spans.logs());
        check(trace.span("INTERNAL", "pay"), "card", "[secret]");
        spans.assert_no_secrets(&[SECRET]).await;
    }
}

/// Serves every path and answers with the headers that came.
async fn http_server(telemetry: &Telemetry) -> SocketAddr {
    let server = telemetry.http_server().trust(TrustTrace::All);
    let server = server.capture_request_headers(listed()).capture_response_headers(listed());
    let router: Router =
        Router::new().route("/pay", get(|headers: HeaderMap| async { (headers, "paid") })).layer(server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    address
}

#[tokio::test]
async fn urls_and_headers_are_shown_without_secrets() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let client = telemetry.http_client(reqwest::Client::new()).propagate(telemetry::Propagate::TraceParent);
    let client = client.capture_request_headers(listed()).capture_response_headers(listed());
    let address = http_server(&telemetry).await;
    let query =
        ["sig", "access_token", "api%5Fkey", "X-Amz-Signature"].map(|name| format!("{name}={SECRET}")).join("&");
    let url = format!("http://{SECRET}:{SECRET}@{address}/pay?q=1&{query}#token={SECRET}");
    // Not by the client's builder, which moves credentials from the URL to a header.
    let mut request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
    for name in DENIED {
        request.headers_mut().insert(name, SECRET.parse().unwrap());
    }
    request.headers_mut().insert("x-tenant", "acme".parse().unwrap());
    let call = HttpCall { url_template: "/pay", resend_count: 0 };
    client.execute(request, call).await.unwrap().text().await.unwrap();

    let trace = spans.assert_one_trace().await;
    for span in trace.spans() {
        check(span, "http.request.header.x-tenant", r#"["acme"]"#);
        check(span, "http.response.header.x-tenant", r#"["acme"]"#);
    }
    let hidden = "q=1&sig=REDACTED&access_token=REDACTED&api%5Fkey=REDACTED&X-Amz-Signature=REDACTED";
    check(trace.span("SERVER", "GET /pay"), "url.query", hidden);
    let full = format!("http://REDACTED:REDACTED@{address}/pay?{hidden}#token=REDACTED");
    check(trace.span("CLIENT", "GET /pay"), "url.full", &full);
    spans.assert_no_secrets(&[SECRET]).await;
}

#[tokio::test]
async fn sql_is_shown_without_literals() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let query = handler(move |_| {
        let database = telemetry.database(telemetry::DatabaseSystem::Sqlite, "test");
        async move {
            let pool =
                sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
            let literal = AssertSqlSafe(format!("SELECT '{SECRET}' -- {SECRET}"));
            sqlx::query(literal).fetch_all(database.on(&pool)).await.unwrap();
            let beside_bound = AssertSqlSafe(format!("SELECT * FROM (SELECT ?1 AS a) WHERE a <> '{SECRET}'"));
            sqlx::query(beside_bound).bind(SECRET).fetch_all(database.on(&pool)).await.unwrap();
            let wrong = AssertSqlSafe(format!("SELECT * FROM missing WHERE card = '{SECRET}'"));
            sqlx::query(wrong).fetch_all(database.on(&pool)).await.unwrap_err();
            Ok(messages([Ok("asked".to_owned())]))
        }
    });
    call(&spans, query).await.unwrap();
    let texts: Vec<_> = {
        let trace = spans.assert_one_trace().await;
        trace.spans().iter().filter_map(|span| span.attribute("db.query.text").map(str::to_owned)).collect()
    };
    let expected = ["SELECT ? ", "SELECT * FROM (SELECT ?1 AS a) WHERE a <> ?", "SELECT * FROM missing WHERE card = ?"];
    assert_eq!(texts, expected);
    spans.assert_no_secrets(&[SECRET]).await;
}

#[tokio::test]
async fn attributes_are_cut_to_the_limits_of_the_environment() {
    let spans = Spans::new();
    let limits = [("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"), ("OTEL_ATTRIBUTE_COUNT_LIMIT", "6")];
    let environment: Environment = limits.into_iter().collect();
    let telemetry = spans.service_in(Service::new("test", "0"), &environment);
    let long = handler(|_| async {
        tracing::info!(note = "äöüßéèê", "noted");
        telemetry::set_attribute("seventh", "and too many");
        Ok(messages([Ok("done".to_owned())]))
    });
    let server = telemetry.rpc_server().trust(TrustTrace::All).capture_request_headers(["x-tenant"]);
    let address = serve(server, long).await;
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut request = request();
    request.metadata_mut().insert("x-tenant", "acme-and-sons".parse().unwrap());
    Client { inner: tonic::client::Grpc::new(endpoint.connect_lazy()) }.send("Unary", request).await.unwrap();

    let trace = spans.assert_one_trace().await;
    let server = trace.span("SERVER", "test.v1.Kinds/Unary");
    check(server, "rpc.method", "test.");
    assert_eq!(server.attributes.len(), 6, "{server:?}");
    assert!(server.events[0].1.contains(&("note".to_owned(), "äöüßé".to_owned())), "{server:?}");
}
