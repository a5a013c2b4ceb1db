mod carried;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{TraceContextExt, Tracer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;
use crate::testing::{SpanRecord, Spans};
use crate::{Environment, Service, scope};

const CALL: HttpCall = HttpCall { url_template: "/v1/payments/{id}", resend_count: 0 };
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
/// Ten bytes are promised and four come.
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";

/// A peer that answers each connection with the same bytes, whatever it is asked.
struct Peer {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
    /// Told for each request, once it is here.
    asked: Arc<Notify>,
}

/// What the peer does after its answer.
#[derive(Clone, Copy)]
enum Then {
    Close,
    Hang,
}

impl Peer {
    async fn start(answer: &'static str, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let peer = Self { address, heads: Arc::default(), asked: Arc::default() };
        let (heads, asked) = (Arc::clone(&peer.heads), Arc::clone(&peer.asked));
        scope::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let head = head(&mut stream).await;
                heads.lock().unwrap().push(head);
                asked.notify_one();
                stream.write_all(answer.as_bytes()).await.unwrap();
                match then {
                    Then::Close => drop(stream),
                    Then::Hang => open.push(stream),
                }
            }
        });
        peer
    }

    fn head(&self) -> String {
        self.heads.lock().unwrap().remove(0)
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// A client under a root span, and what came of it.
struct Bench {
    spans: Spans,
    client: HttpClient,
    root: Context,
}

impl Bench {
    fn new() -> Self {
        Self::within(&Environment::default(), &Context::new())
    }

    /// One whose root span is below `caller`.
    fn within(environment: &Environment, caller: &Context) -> Self {
        let spans = Spans::new();
        let telemetry = spans.service_in(Service::new("payment", "0.0.0"), environment);
        let root = caller.with_span(telemetry.tracer().start_with_context("root", caller));
        Self { spans, client: telemetry.http_client(Client::new()), root }
    }

    fn get(&self, url: &str) -> Request {
        self.client.get_ref().get(url).build().unwrap()
    }

    async fn execute(&self, url: &str) -> Result<Response, reqwest::Error> {
        self.client.execute(self.get(url), CALL).with_context(self.root.clone()).await
    }

    /// The request's span, which must have ended; the request must have been measured as that says.
    async fn span(&self) -> SpanRecord {
        self.root.span().end();
        let trace_id = self.root.span().span_context().trace_id().to_string();
        let trace = self.spans.trace(&trace_id).await;
        let [root, request] = trace.spans() else { panic!("{trace:?}") };
        assert_eq!(request.parent_span_id.as_ref(), Some(&root.span_id));
        let metrics = self.spans.metrics().await;
        assert_eq!(metrics.render(""), measured_as(request));
        let nanoseconds = (metrics.sum(DURATION, &[]) * 1e9).round() as u64;
        assert_eq!(nanoseconds, request.end - request.start);
        assert_eq!(metrics.boundaries(DURATION), crate::clock::BUCKETS);
        request.clone()
    }
}

const DURATION: &str = "http.client.request.duration";

/// The series that a request with this span leaves.
fn measured_as(span: &SpanRecord) -> String {
    let pair = |key: &str| Some(format!("{key}={}", span.attribute(key)?));
    let of = |keys: &[&str]| keys.iter().filter_map(|key| pair(key)).collect::<Vec<_>>().join(", ");
    let active = of(&["http.request.method", "server.address", "server.port", "url.template"]);
    let before = of(&["error.type", "http.request.method", "http.response.status_code"]);
    let duration = [before, of(&["network.protocol.version", "server.address", "server.port"])];
    let duration = duration.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ");
    format!("payment http.client.active_requests [{active}] 0\npayment {DURATION} [{duration}] count 1\n")
}

#[tokio::test]
async fn a_request_is_one_client_span_with_the_conventions_attributes() {
    let bench = Bench::new();
    let peer = Peer::start(OK, Then::Close).await;
    let url = format!("{}/v1/payments/7?sig=secret", peer.address);
    let response = bench.execute(&url).await.unwrap();
    assert_eq!(response.url().as_str(), url);
    assert_eq!(response.content_length(), Some(2));
    assert_eq!(response.text().await.unwrap(), "hi");

    let span = bench.span().await;
    let port = peer.address.rsplit(':').next().unwrap().to_owned();
    let redacted = url.replace("secret", "REDACTED");
    let mut attributes = span.attributes.clone();
    attributes.sort();
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", &port),
        ("network.protocol.version", "1.1"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("url.full", &redacted),
        ("url.template", "/v1/payments/{id}"),
    ];
    assert_eq!(attributes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!((span.kind.as_str(), span.name.as_str()), ("CLIENT", "GET /v1/payments/{id}"));
    assert!(!span.is_error);
}

#[tokio::test]
async fn answers_of_400_and_above_are_errors_of_their_code() {
    for (answer, code) in [
        ("HTTP/1.1 402 Payment Required\r\ncontent-length: 0\r\n\r\n", "402"),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "503"),
    ] {
        let bench = Bench::new();
        let peer = Peer::start(answer, Then::Close).await;
        let response = bench.execute(&peer.address).await.unwrap();
        assert_eq!(response.status().as_str(), code);
        // Without a body the end is the head, though the response is still held.
        let span = bench.span().await;
        assert!(span.is_error);
        assert_eq!(span.attribute("http.response.status_code"), Some(code));
        assert_eq!(span.attribute("error.type"), Some(code));
    }
}

#[tokio::test]
async fn an_answer_below_400_is_no_error() {
    let bench = Bench::new();
    let peer = Peer::start("HTTP/1.1 304 Not Modified\r\n\r\n", Then::Close).await;
    bench.execute(&peer.address).await.unwrap();
    let span = bench.span().await;
    assert!(!span.is_error);
    assert_eq!(span.attribute("error.type"), None);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_of_the_request() {
    let bench = Bench::new();
    let peer = Peer::start(HALF, Then::Close).await;
    let error = bench.execute(&peer.address).await.unwrap().bytes().await.unwrap_err();
    assert!(!error.is_timeout());
    let span = bench.span().await;
    assert!(span.is_error);
    assert_eq!(span.attribute("error.type"), Some("body"));
    assert_eq!(span.attribute("http.response.status_code"), Some("200"));
}

#[tokio::test]
async fn a_body_that_is_dropped_half_read_ends_the_span_by_its_code() {
    let bench = Bench::new();
    let peer = Peer::start(HALF, Then::Hang).await;
    let mut response = bench.execute(&peer.address).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "half");
    drop(response);
    let span = bench.span().await;
    assert!(!span.is_error);
    assert_eq!(span.attribute("error.type"), None);
}

#[tokio::test]
async fn a_client_that_runs_out_of_time_is_a_timeout_before_and_in_the_body() {
    for answer in ["", HALF] {
        let mut bench = Bench::new();
        bench.client.client = Client::builder().timeout(Duration::from_millis(50)).build().unwrap();
        let peer = Peer::start(answer, Then::Hang).await;
        let read = async { bench.execute(&peer.address).await?.bytes().await };
        assert!(read.await.unwrap_err().is_timeout());
        let span = bench.span().await;
        assert!(span.is_error);
        assert_eq!(span.attribute("error.type"), Some("timeout"));
    }
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_a_connect_error() {
    let bench = Bench::new();
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    bench.execute(&format!("http://{unused}")).await.unwrap_err();
    let span = bench.span().await;
    assert!(span.is_error);
    assert_eq!(span.attribute("error.type"), Some("connect"));
    assert_eq!(span.attribute("http.response.status_code"), None);
}

#[tokio::test]
async fn a_request_that_is_dropped_before_its_answer_is_cancelled_and_no_error() {
    let bench = Bench::new();
    let peer = Peer::start("", Then::Hang).await;
    let in_flight = async {
        peer.asked.notified().await;
        assert_eq!(bench.spans.metrics_now().sum("http.client.active_requests", &[]), 1.0);
    };
    tokio::select! {
        _ = bench.execute(&peer.address) => panic!("there is no answer"),
        () = in_flight => {}
    }
    let span = bench.span().await;
    assert!(!span.is_error);
    assert_eq!(span.attribute("error.type"), Some("cancelled"));
}

#[tokio::test]
async fn a_request_that_is_dropped_after_the_deadline_of_its_call_timed_out() {
    let bench = Bench::new();
    let deadline = Some(crate::deadline::Deadline::after(Duration::ZERO));
    let late = scope::Place::new(bench.root.clone(), deadline);
    let peer = Peer::start("", Then::Hang).await;
    tokio::select! {
        _ = late.hold(bench.execute(&peer.address)) => panic!("there is no answer"),
        () = peer.asked.notified() => {}
    }
    let span = bench.span().await;
    assert!(span.is_error);
    assert_eq!(span.attribute("error.type"), Some("timeout"));
}
