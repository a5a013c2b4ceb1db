//! What crosses a hop: the caller's trace by policy, its flags, tracestate and baggage, and the deadline.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telemetry::testing::Spans;
use telemetry::{Deadline, ExtractContext, InjectContext, Service, Telemetry, TrustTrace, in_context};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Status};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::kinds::{Client, Handler, Kinds, client, handler, messages, serve};

pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const CALLER: &str = "00f067aa0ba902b7";

/// What the last hop was sent.
type Received = Arc<Mutex<Option<(MetadataMap, Option<Duration>)>>>;

fn keep(received: &Received) -> Handler {
    let received = Arc::clone(received);
    handler(move |request: Request<String>| {
        let left = Deadline::current().map(|deadline| deadline.remaining());
        *received.lock().unwrap() = Some((request.metadata().clone(), left));
        async { Ok(messages([Ok("kept".to_owned())])) }
    })
}

fn pass_on(telemetry: &Telemetry, next: SocketAddr) -> Handler {
    let client = client(telemetry, next);
    handler(move |request: Request<String>| {
        let mut client = client.clone();
        async move {
            client.call("Unary", request.get_ref()).await?;
            Ok(messages([Ok("passed on".to_owned())]))
        }
    })
}

pub(crate) fn request(headers: &[(&'static str, &str)]) -> Request<String> {
    let mut request = Request::new("hello".to_owned());
    for (name, value) in headers {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// A caller without telemetry.
pub(crate) fn plain(address: SocketAddr) -> Client<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    Client { inner: tonic::client::Grpc::new(endpoint.connect_lazy()) }
}

/// Sends `request` over two traced hops and gives back what the second was sent.
async fn over_two_hops(spans: &Spans, trust: TrustTrace, request: Request<String>) -> (MetadataMap, Option<Duration>) {
    over(spans.service(Service::new("edge", "0")), spans, trust, request).await
}

/// The same with this service as the first hop.
async fn over(
    edge: Telemetry,
    spans: &Spans,
    trust: TrustTrace,
    request: Request<String>,
) -> (MetadataMap, Option<Duration>) {
    let received = Received::default();
    let inner = spans.service(Service::new("inner", "0"));
    let second = serve(inner.rpc_server().trust(TrustTrace::All), keep(&received)).await;
    let first = serve(edge.rpc_server().trust(trust), pass_on(&edge, second)).await;
    plain(first).send("Unary", request).await.unwrap();
    received.lock().unwrap().take().unwrap()
}

fn header<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_trusted_callers_trace_goes_on_and_services_keep_their_names() {
    let spans = Spans::new();
    let headers = [("traceparent", &*format!("00-{TRACE}-{CALLER}-01"))];
    let (metadata, _) = over_two_hops(&spans, TrustTrace::All, request(&headers)).await;

    let trace = spans.trace(TRACE).await;
    assert_eq!(trace.spans()[0].parent_span_id.as_deref(), Some(CALLER));
    trace.assert_tree(&format!(
        "
        (parent {CALLER} not received)
          edge SERVER test.v1.Kinds/Unary
            edge CLIENT test.v1.Kinds/Unary
              inner SERVER test.v1.Kinds/Unary
    "
    ));
    let sent = format!("00-{TRACE}-{}-01", trace.span("CLIENT", "test.v1.Kinds/Unary").span_id);
    assert_eq!(header(&metadata, "traceparent"), Some(&*sent));
}

#[tokio::test]
async fn an_untrusted_callers_trace_is_linked_and_its_baggage_dropped() {
    let spans = Spans::new();
    let headers = [("traceparent", &*format!("00-{TRACE}-{CALLER}-01")), ("baggage", "who=me"), ("tracestate", "a=1")];
    let (metadata, _) = over_two_hops(&spans, TrustTrace::None, request(&headers)).await;

    let traces = spans.traces().await;
    let root = &traces[0].spans()[0];
    assert_ne!(root.trace_id, TRACE);
    assert_eq!(root.parent_span_id, None);
    assert_eq!(root.links, [(TRACE.to_owned(), CALLER.to_owned())]);
    assert_eq!((header(&metadata, "baggage"), header(&metadata, "tracestate")), (None, None));
}

#[tokio::test]
async fn a_malformed_context_starts_a_new_trace() {
    let two = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"); 2];
    for headers in [&[("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")][..], &two[..]] {
        let spans = Spans::new();
        let (metadata, _) = over_two_hops(&spans, TrustTrace::All, request(headers)).await;
        let traces = spans.traces().await;
        let root = &traces[0].spans()[0];
        assert!(root.trace_id != TRACE && root.parent_span_id.is_none() && root.links.is_empty());
        // A trace id of our own is random, and says so (W3C Trace Context level 2, flag 02).
        assert!(header(&metadata, "traceparent").unwrap().ends_with("-03"));
    }
}

#[tokio::test]
async fn an_unsampled_trace_makes_no_spans_and_is_passed_on_unsampled() {
    for (sent, passed_on) in [("00", "-00"), ("02", "-02")] {
        let spans = Spans::new();
        let headers = [("traceparent", &*format!("00-{TRACE}-{CALLER}-{sent}"))];
        let (metadata, _) = over_two_hops(&spans, TrustTrace::All, request(&headers)).await;
        let traceparent = header(&metadata, "traceparent").unwrap();
        assert!(traceparent.starts_with(&format!("00-{TRACE}-")) && traceparent.ends_with(passed_on), "{traceparent}");
        assert!(spans.traces().await.is_empty());
    }
}

#[tokio::test]
async fn a_disabled_hop_passes_on_what_came_and_begins_nothing() {
    let spans = Spans::new();
    let disabled =
        || spans.service_in(Service::new("edge", "0"), &[("OTEL_SDK_DISABLED", "true")].into_iter().collect());
    for flags in ["00", "01", "03"] {
        let sent = format!("00-{TRACE}-{CALLER}-{flags}");
        let headers = [("traceparent", &*sent), ("tracestate", "a=1"), ("baggage", "who=me")];
        let (metadata, _) = over(disabled(), &spans, TrustTrace::All, request(&headers)).await;
        let received = ["traceparent", "tracestate", "baggage"].map(|name| header(&metadata, name));
        assert_eq!(received, [Some(&*sent), Some("a=1"), Some("who=me")]);
    }
    let (metadata, _) = over(disabled(), &spans, TrustTrace::All, request(&[])).await;
    // The next hop would believe what is sent, and record nothing.
    assert_eq!(header(&metadata, "traceparent"), None);
    assert!(spans.traces().await.iter().all(|trace| trace.spans().iter().all(|span| span.service != "edge")));
}

#[tokio::test]
async fn tracestate_and_baggage_are_carried_untouched() {
    let spans = Spans::new();
    let traceparent = format!("00-{TRACE}-{CALLER}-03");
    let headers = [
        ("traceparent", &*traceparent),
        ("tracestate", "foo@bar@baz=1,b=2"),
        ("tracestate", "c=3"),
        ("baggage", "name=100%2541,other=a%2Cb"),
    ];
    let (metadata, _) = over_two_hops(&spans, TrustTrace::All, request(&headers)).await;
    assert_eq!(header(&metadata, "tracestate"), Some("foo@bar@baz=1,b=2,c=3"));
    assert_eq!(header(&metadata, "baggage"), Some("name=100%2541,other=a%2Cb"));
    assert!(header(&metadata, "traceparent").unwrap().ends_with("-03"));
}

#[tokio::test]
async fn the_deadline_shrinks_on_each_hop() {
    let mut asked = request(&[]);
    asked.set_timeout(Duration::from_secs(5));
    let (metadata, left) = over_two_hops(&Spans::new(), TrustTrace::All, asked).await;
    let sent: u64 = header(&metadata, "grpc-timeout").unwrap().strip_suffix('u').unwrap().parse().unwrap();
    assert!(sent < 5_000_000 && left.unwrap() <= Duration::from_micros(sent), "{sent} {left:?}");

    let (_, by_default) = over_two_hops(&Spans::new(), TrustTrace::All, request(&[])).await;
    assert!(by_default.unwrap() <= Duration::from_secs(10));
}

/// The `grpc.timeout_ms` of the spans of the one trace over two hops: SERVER, CLIENT, SERVER.
async fn budgets(spans: &Spans) -> [u64; 3] {
    let traces = spans.traces().await;
    let budget = |kind, service| {
        let mut spans = traces[0].spans().iter();
        let span = spans.find(|span| (&*span.kind, &*span.service) == (kind, service)).unwrap();
        span.attribute("grpc.timeout_ms").unwrap().parse().unwrap()
    };
    [budget("SERVER", "edge"), budget("CLIENT", "edge"), budget("SERVER", "inner")]
}

#[tokio::test]
async fn the_spans_show_what_was_left_on_arrival_and_what_was_sent_along() {
    let spans = Spans::new();
    let (metadata, _) = over_two_hops(&spans, TrustTrace::All, request(&[("grpc-timeout", "5S")])).await;
    let sent: u64 = header(&metadata, "grpc-timeout").unwrap().strip_suffix('u').unwrap().parse().unwrap();
    assert_eq!(budgets(&spans).await, [5_000, sent / 1_000, sent / 1_000]);
}

#[tokio::test]
async fn without_a_readable_deadline_it_is_the_default_ones() {
    for headers in [&[][..], &[("grpc-timeout", "soon")], &[("grpc-timeout", "5s")]] {
        let spans = Spans::new();
        over_two_hops(&spans, TrustTrace::None, request(headers)).await;
        let [edge, sent, inner] = budgets(&spans).await;
        assert!(edge == 10_000 && sent <= edge && inner == sent, "{edge} {sent} {inner}");
    }
}

#[tokio::test]
async fn a_client_shows_its_own_limit_where_that_is_nearer() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("edge", "0"));
    let received = Received::default();
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), keep(&received)).await;
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let layer = telemetry.rpc_client(&endpoint).max_deadline(Duration::from_secs(60));
    let inner = tonic::client::Grpc::new(layer.layer(endpoint.connect_lazy()));
    Client { inner }.send("Unary", request(&[("grpc-timeout", "1H")])).await.unwrap();

    let sent = received.lock().unwrap().take().unwrap().0;
    let sent: u64 = header(&sent, "grpc-timeout").unwrap().strip_suffix('u').unwrap().parse().unwrap();
    let trace = &spans.traces().await[0];
    for kind in ["CLIENT", "SERVER"] {
        let budget = trace.span(kind, "test.v1.Kinds/Unary").attribute("grpc.timeout_ms").unwrap();
        assert_eq!(budget, (sent / 1_000).to_string());
    }
    assert!(sent <= 60_000_000, "{sent}");
}

#[tracing::instrument(name = "hop", skip_all)]
async fn hop(next: SocketAddr, message: String) -> Result<(), Status> {
    let channel = Endpoint::from_shared(format!("http://{next}")).unwrap().connect_lazy();
    let inner = tonic::client::Grpc::new(InterceptedService::new(channel, InjectContext::default()));
    Client { inner }.call("Unary", &message).await.map(drop)
}

async fn serve_with_interceptors(handler: Handler) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = InterceptedService::new(Kinds { handler }, ExtractContext::default());
    let server = Server::builder().add_service(service);
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// On one thread, so that a subscriber of the test's own holds for all of it.
#[tokio::test]
async fn three_hops_are_one_trace_with_interceptors_only() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("chain", "0"));
    let _subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer()).set_default();

    let received = Received::default();
    let third = serve_with_interceptors(keep(&received)).await;
    let on_to = |next| {
        handler(move |request: Request<String>| {
            let work = hop(next, request.get_ref().clone());
            in_context(&request, async { work.await.map(|()| messages([Ok("on".to_owned())])) })
        })
    };
    let second = serve_with_interceptors(on_to(third)).await;
    let first = serve_with_interceptors(on_to(second)).await;
    let headers = [("traceparent", &*format!("00-{TRACE}-{CALLER}-01"))];
    plain(first).send("Unary", request(&headers)).await.unwrap();

    let trace = spans.trace(TRACE).await;
    trace.assert_tree(&format!(
        "
        (parent {CALLER} not received)
          chain INTERNAL hop
            chain INTERNAL hop
    "
    ));
    let (metadata, _) = received.lock().unwrap().take().unwrap();
    let last = &trace.spans()[1].span_id;
    assert_eq!(header(&metadata, "traceparent"), Some(&*format!("00-{TRACE}-{last}-01")));
}
