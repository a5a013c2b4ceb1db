//! What goes wrong at the edges: foreign answers, odd addresses, code that runs where nobody expects it.

use std::convert::Infallible;
use std::fmt;
use std::future::Ready;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use telemetry::testing::{Spans, Trace};
use telemetry::{Service, TrustTrace};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, GrpcMethod, Request};
use tonic_prost::ProstCodec;

use crate::kinds::{Client, Handler, Messages, client, handler, messages, serve};

const UNARY: &str = "test.v1.Kinds/Unary";

/// The trace of one call that `handler` serves.
async fn trace_of(handler: Handler) -> Trace {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), handler).await;
    client(&telemetry, address).call("Unary", "").await.unwrap();
    spans.traces().await.remove(0)
}

#[tokio::test]
async fn the_messages_that_a_client_streams_are_made_in_its_call() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let answer = handler(|_| async { Ok(messages([Ok(String::new())])) });
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), answer).await;

    let seen = Arc::new(Mutex::new(None));
    let stream = tokio_stream::once(()).map({
        let seen = Arc::clone(&seen);
        move |()| {
            *seen.lock().unwrap() = telemetry::trace_id();
            String::new()
        }
    });
    let mut request = Request::new(stream);
    request.extensions_mut().insert(GrpcMethod::new("test.v1.Kinds", "ClientStream"));
    let mut client = client(&telemetry, address);
    client.inner.ready().await.unwrap();
    let path = "/test.v1.Kinds/ClientStream".parse().unwrap();
    client.inner.client_streaming(request, path, ProstCodec::<String, String>::default()).await.unwrap();
    let trace = spans.traces().await.remove(0);
    assert_eq!(*seen.lock().unwrap(), Some(trace.spans()[0].trace_id.clone()));
}

/// A proxy that answers for a server that is gone.
#[derive(Clone)]
struct Proxy;

impl NamedService for Proxy {
    const NAME: &'static str = "test.v1.Kinds";
}

impl tower_service::Service<http::Request<Body>> for Proxy {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let part = |text: &'static str| Ok::<_, Infallible>(Frame::data(Bytes::from_static(text.as_bytes())));
        let body = StreamBody::new(tokio_stream::iter([part("<html>no "), part("backend</html>")]));
        let answer = http::Response::builder().status(503).header("content-type", "text/html").body(Body::new(body));
        std::future::ready(Ok(answer.unwrap()))
    }
}

#[tokio::test]
async fn a_proxys_503_is_unavailable_to_caller_and_trace() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Server::builder().add_service(Proxy).serve_with_incoming(TcpListenerStream::new(listener));
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(proxy);

    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let status = client(&telemetry, address).call("Unary", "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    spans.traces().await[0]
        .assert_tree("test CLIENT test.v1.Kinds/Unary ERROR [error.type=UNAVAILABLE, rpc.status_code=UNAVAILABLE]");
}

#[tokio::test]
async fn a_stream_that_never_waits_ends_at_its_deadline() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let endless = handler(|_| async {
        let messages = futures_util::stream::repeat_with(|| Ok("x".repeat(40_000)));
        Ok(Box::pin(messages) as Messages)
    });
    let layer = telemetry.rpc_server().default_deadline(Duration::from_millis(100));
    let address = serve(layer, endless).await;
    // A peer that knows nothing of the deadline.
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut plain = Client { inner: tonic::client::Grpc::new(endpoint.connect_lazy()) };
    let answer = tokio::time::timeout(Duration::from_secs(30), plain.call("ServerStream", "")).await;
    let end = answer.expect("the stream goes on for ever").unwrap().end.unwrap_err();
    assert_eq!(end.code(), Code::DeadlineExceeded);
}

/// A value whose `Debug` is traced itself.
struct Traced;

#[tracing::instrument]
fn described() -> &'static str {
    "described"
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(described())
    }
}

#[tokio::test]
async fn a_value_that_enters_a_span_to_describe_itself_is_logged() {
    let trace = trace_of(handler(|_| async {
        tracing::info!(value = ?Traced, "logged");
        Ok(messages([Ok(String::new())]))
    }))
    .await;
    let event = &trace.span("SERVER", UNARY).events[0];
    assert!(event.1.contains(&("value".to_owned(), "described".to_owned())), "{event:?}");
}

#[tokio::test]
async fn the_last_value_of_an_attribute_is_the_only_one() {
    let trace = trace_of(handler(|_| async {
        telemetry::set_attribute("a", 1);
        telemetry::set_attribute("a", 2);
        tracing::info!(level = 3, "event");
        Ok(messages([Ok(String::new())]))
    }))
    .await;
    let count = |attributes: &[(String, String)], key: &str| attributes.iter().filter(|(name, _)| name == key).count();
    let server = trace.span("SERVER", UNARY);
    assert_eq!((count(&server.attributes, "a"), server.attribute("a")), (1, Some("2")));
    assert_eq!(count(&server.events[0].1, "level"), 1);
}

#[tokio::test]
async fn a_crate_named_like_a_library_is_seen() {
    let trace = trace_of(handler(|_| async {
        tracing::info!(target: "tonic_shop::orders", "placed");
        tracing::info!(target: "tonic::transport", "connected");
        let _span = tracing::info_span!(target: "tower_defense", "level").entered();
        Ok(messages([Ok(String::new())]))
    }))
    .await;
    let events: Vec<_> = trace.span("SERVER", UNARY).events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(events, ["placed"]);
    trace.span("INTERNAL", "level");
}

#[tokio::test]
async fn addresses_are_told_without_brackets_and_sockets_by_their_path() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let v6 = Endpoint::from_static("http://[::1]:1");
    let socket = Endpoint::from_static("unix:///run/none.sock");
    let layers = [
        telemetry.rpc_client(&v6).layer(v6.connect_lazy()),
        telemetry.rpc_client(&socket).server_address("/run/none.sock").layer(socket.connect_lazy()),
    ];
    for channel in layers {
        Client { inner: tonic::client::Grpc::new(channel) }.call("Unary", "").await.unwrap_err();
    }
    let traces = spans.traces().await;
    let addresses: Vec<_> = traces.iter().map(|trace| trace.spans()[0].attribute("server.address")).collect();
    assert_eq!(addresses, [Some("::1"), Some("/run/none.sock")]);
}
