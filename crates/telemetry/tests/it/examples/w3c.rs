//! The example that W3C's harness is run against, called as the harness does.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use telemetry::testing::SpanRecord;
use tokio::net::TcpListener;

use super::console::spans;
use super::{SPANS, example};

const TRACE: &str = "12345678901234567890123456789012";

/// The example while it runs.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

/// What a callee was sent: headers and body, a call each.
type Received = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

// === impl Running ===

impl Running {
    fn start() -> Self {
        let mut command = example("w3c", &SPANS);
        let mut child = command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, stdout, url }
    }

    /// Ends it as Ctrl-C does, and gives what it wrote.
    fn interrupt(mut self) -> String {
        let interrupted = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        let mut written = String::new();
        self.stdout.read_to_string(&mut written).unwrap();
        assert!(self.child.wait().unwrap().success(), "{written}");
        written
    }

    /// Has it make these calls in the context of these headers.
    async fn post(&self, headers: &[(&str, &str)], calls: &Value) -> u16 {
        let request = reqwest::Client::new().post(&self.url).json(calls);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap().status().as_u16()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
    }
}

/// Where the callee listens, which keeps what it is sent.
async fn callee(received: &Received) -> String {
    async fn keep(State(received): State<Received>, headers: HeaderMap, Json(body): Json<Value>) {
        received.lock().unwrap().push((headers, body));
    }
    let router = Router::new().route("/callback/{id}", post(keep)).with_state(Arc::clone(received));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// Every line of a header, in the order of calls.
fn sent(received: &Received, name: &str) -> Vec<String> {
    let received = received.lock().unwrap();
    let lines = received.iter().flat_map(|(headers, _)| headers.get_all(name));
    lines.map(|line| line.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn it_calls_whom_it_is_told_each_under_a_parent_of_its_own() {
    let (w3c, received) = (Running::start(), Received::default());
    let url = callee(&received).await;
    let calls =
        json!([{"url": format!("{url}/1"), "arguments": [{"url": "a"}]}, {"url": format!("{url}/2"), "arguments": []}]);
    let headers = [("traceparent", &*format!("00-{TRACE}-1234567890123456-01")), ("tracestate", "foo=1,bar=2")];
    assert_eq!(w3c.post(&headers, &calls).await, 200);

    let bodies: Vec<_> = received.lock().unwrap().iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(bodies, [json!([{"url": "a"}]), json!([])]);
    assert_eq!(sent(&received, "tracestate"), ["foo=1,bar=2"; 2]);

    let spans = spans(&w3c.interrupt());
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "call").collect();
    assert_eq!(sent(&received, "traceparent"), calls.iter().map(|call| traceparent(call)).collect::<Vec<_>>());
    let server = spans.iter().find(|span| span.kind == "SERVER").unwrap();
    assert_eq!((&*server.name, server.parent_span_id.as_deref()), ("POST /test", Some("1234567890123456")));
    assert!(calls.len() == 2 && calls.iter().all(|call| call.parent_span_id.as_ref() == Some(&server.span_id)));
}

fn traceparent(span: &SpanRecord) -> String {
    format!("00-{TRACE}-{}-01", span.span_id)
}

#[tokio::test]
async fn it_starts_a_trace_where_the_callers_is_invalid_and_keeps_the_random_flag() {
    let (w3c, received) = (Running::start(), Received::default());
    let calls = json!([{"url": format!("{}/1", callee(&received).await), "arguments": []}]);
    let invalid = [("traceparent", &*format!("00-{TRACE}-1234567890123456-1")), ("tracestate", "foo=1")];
    assert_eq!(w3c.post(&invalid, &calls).await, 200);
    let random = [("traceparent", &*format!("00-{TRACE}-1234567890123456-02"))];
    assert_eq!(w3c.post(&random, &calls).await, 200);

    let [started, random] = &sent(&received, "traceparent")[..] else { panic!("{received:?}") };
    assert!(!started.contains(TRACE), "{started}");
    assert!(random.starts_with(&format!("00-{TRACE}-")) && random.ends_with("-02"), "{random}");
    assert!(sent(&received, "tracestate").is_empty());
}
