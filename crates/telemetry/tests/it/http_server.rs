//! The HTTP server's layer on a real axum server, asked over sockets.

mod conventions;
mod endings;
mod callers;
mod measured;
mod routers;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::once;
use telemetry::testing::{SpanRecord, Spans};
use telemetry::{Environment, HttpServerLayer, Service, Telemetry};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_stream::StreamExt;

/// A site under observation.
struct Site {
    spans: Spans,
    address: SocketAddr,
    /// Notified when a handler or a body runs that will never end.
    entered: Arc<Notify>,
}

/// A site whose layer is `configured`.
async fn site(configured: impl FnOnce(HttpServerLayer) -> HttpServerLayer) -> Site {
    site_in(&[], configured).await
}

async fn site_in(settings: &[(&str, &str)], configured: impl FnOnce(HttpServerLayer) -> HttpServerLayer) -> Site {
    let spans = Spans::new();
    let telemetry = service(&spans, settings);
    let entered = Arc::new(Notify::new());
    let router = routes(&entered).layer(configured(telemetry.http_server()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>());
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(served.into_future());
    Site { spans, address, entered }
}

fn service(spans: &Spans, settings: &[(&str, &str)]) -> Telemetry {
    let environment: Environment = settings.iter().copied().collect();
    spans.service_in(Service::new("site", "0"), &environment)
}

/// Each route is named for what it does.
fn routes(entered: &Arc<Notify>) -> Router {
    let (hanging, endless) = (Arc::clone(entered), Arc::clone(entered));
    Router::new()
        .route("/orders/{id}", get(order).post(|| async { StatusCode::CREATED }))
        .route("/unavailable", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/unchanged", get(|| async { (StatusCode::NOT_MODIFIED, Body::from_stream(parts())) }))
        .route("/stream", get(|| async { Body::from_stream(parts()) }))
        .route("/sized", get(|| async { ([(CONTENT_LENGTH, "6")], Body::from_stream(parts())).into_response() }))
        .route("/broken", get(|| async { Body::from_stream(parts().chain(once(broken()))) }))
        .route("/panics", get(panics))
        .route("/panics_late", get(|| async { Body::from_stream(parts().chain(once(panicking()))) }))
        .route("/hangs", get(move || hangs(hanging)))
        .route("/endless", get(move || async move { Body::from_stream(parts().chain(once(never(endless)))) }))
}

#[tracing::instrument]
async fn order() -> String {
    telemetry::trace_id().unwrap_or_default()
}

async fn panics() -> StatusCode {
    panic!("the handler's own")
}

async fn hangs(entered: Arc<Notify>) {
    entered.notify_one();
    std::future::pending().await
}

fn parts() -> impl Stream<Item = Result<Bytes, &'static str>> {
    tokio_stream::iter(["one", "two"]).map(|part| Ok(traced(part)))
}

/// A part of a body, made in a span of its own.
#[tracing::instrument(fields(otel.name = part))]
fn traced(part: &'static str) -> Bytes {
    Bytes::from_static(part.as_bytes())
}

/// What came before is on its way when this happens.
async fn broken() -> Result<Bytes, &'static str> {
    tokio::task::yield_now().await;
    Err("broken")
}

async fn panicking() -> Result<Bytes, &'static str> {
    tokio::task::yield_now().await;
    panic!("the body's own")
}

async fn never(entered: Arc<Notify>) -> Result<Bytes, &'static str> {
    entered.notify_one();
    std::future::pending().await
}

// === impl Site ===

impl Site {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks for `path`; the answer is read to its end or where it breaks.
    async fn get(&self, path: &str) -> (u16, Result<String, reqwest::Error>) {
        self.send(reqwest::Client::new().get(self.url(path))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Result<String, reqwest::Error>) {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await)
    }

    /// The SERVER span of the one request there was, ended.
    async fn span(&self) -> SpanRecord {
        let mut traces = self.spans.traces().await;
        assert_eq!(traces.len(), 1, "{traces:?}");
        let trace = traces.remove(0);
        let servers: Vec<_> = trace.spans().iter().filter(|span| span.kind == "SERVER").collect();
        let [server] = servers[..] else { panic!("{}", trace.render(&[])) };
        server.clone()
    }
}

/// Asks a service for nothing but its head.
async fn ask<S, B>(service: &mut S, request: axum::http::Request<Body>) -> axum::http::Response<B>
where
    S: tower_service::Service<axum::http::Request<Body>, Response = axum::http::Response<B>, Error = Infallible>,
{
    std::future::poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    service.call(request).await.unwrap()
}
