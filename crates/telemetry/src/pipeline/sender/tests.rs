use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::net::TcpListener;

use super::*;
use crate::environment::Environment;

mod grpc_collector;
mod http_collector;
mod grpc;
mod http;
mod json;
mod ports;
mod secrets;
mod tls;

use grpc_collector::GrpcCollector;
use http_collector::HttpCollector;

const PAUSE: Duration = Duration::from_secs(1);

/// What a collector answers, one after the other, and then that all is well.
struct Script<A>(Mutex<VecDeque<A>>);

/// A sender by these variables, without the beginning that all of them have.
fn sender_of(signal: Signal, variables: &[(&str, &str)]) -> Sender {
    let named = |(what, value): &(&str, &str)| (format!("OTEL_EXPORTER_OTLP_{what}"), (*value).to_owned());
    let environment: Environment = variables.iter().map(named).collect();
    let sender = Otlp::of(&environment, signal).sender(&Handle::current());
    assert_eq!(environment.take_warnings(), [""; 0]);
    sender
}

fn sender_to(collector: SocketAddr, protocol: &str, variables: &[(&str, &str)]) -> Sender {
    let endpoint = format!("http://{collector}");
    let general = [("ENDPOINT", &*endpoint), ("PROTOCOL", protocol)];
    sender_of(Signal::Traces, &[&general[..], variables].concat())
}

async fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A request with one span of this name.
fn request(name: &str) -> Bytes {
    let span = Span { name: name.to_owned(), trace_id: vec![1; 16], span_id: vec![2; 8], ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// Why this is not sent once.
async fn failure_of(sender: &Sender) -> Failure {
    sender.attempt(request("lost")).await.unwrap_err()
}

/// The failure's text holds each of these.
#[track_caller]
fn tells(failure: &Failure, what: &[&str]) {
    let told = failure.to_string();
    assert!(what.iter().all(|what| told.contains(what)), "{what:?}: {told}");
}

// === impl Script ===

impl<A> Script<A> {
    fn new(answers: impl IntoIterator<Item = A>) -> Self {
        Self(Mutex::new(answers.into_iter().collect()))
    }

    fn next(&self) -> Option<A> {
        self.0.lock().unwrap().pop_front()
    }
}

#[test]
fn pauses_of_many_differ_by_a_quarter_at_most() {
    let pauses: Vec<_> = (0..100).map(|_| jittered(PAUSE)).collect();
    assert!(pauses.iter().all(|pause| (PAUSE * 3 / 4..=PAUSE * 5 / 4).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
}

#[tokio::test]
async fn a_sender_says_what_it_is_and_where_it_sends_to() {
    for (signal, protocol, endpoint, expected) in [
        (Signal::Traces, "grpc", "http://collector", ("otlp_grpc_span_exporter", "collector", 80)),
        (Signal::Logs, "http/protobuf", "https://[::1]", ("otlp_http_log_exporter", "::1", 443)),
        (Signal::Metrics, "http/json", "http://10.0.0.1:1", ("otlp_http_json_metric_exporter", "10.0.0.1", 1)),
    ] {
        let sender = sender_of(signal, &[("PROTOCOL", protocol), ("ENDPOINT", endpoint)]);
        let is = (sender.component_type(), sender.address(), sender.port());
        assert_eq!((is.0.as_str(), is.1, is.2), expected);
    }
}

#[tokio::test]
async fn nobody_is_told_of_by_any_protocol() {
    let (listener, nobody) = bound().await;
    drop(listener);
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let failure = failure_of(&sender_to(nobody, protocol, &[])).await;
        assert_eq!((failure.verdict, failure.error_type()), (Verdict::Transient, "connection"), "{protocol}");
        tells(&failure, &[&format!("{nobody}: "), "Connection refused", "(nothing listens there"]);
    }
}

#[tokio::test]
async fn a_collector_that_does_not_answer_is_given_up_in_time() {
    // Bound and never accepted from.
    let (_listener, hanging) = bound().await;
    for protocol in ["grpc", "http/protobuf"] {
        let sender = sender_to(hanging, protocol, &[("TIMEOUT", "20")]);
        let attempted = failure_of(&sender).await;
        let sent = sender.send(request("lost"), |_| {}).await.unwrap_err();
        for failure in [attempted, sent] {
            assert_eq!((failure.verdict, failure.error_type()), (Verdict::Transient, "timeout"), "{protocol}");
            tells(&failure, &[&format!("{hanging}: "), "in time"]);
        }
    }
}

#[tokio::test]
async fn what_may_be_sent_again_is_until_it_arrives_and_each_failure_is_told() {
    let collector = HttpCollector::answering([(503, "busy"), (429, "slower"), (502, "")]);
    let sender = sender_to(collector.serve().await, "http/protobuf", &[("TIMEOUT", "0")]);
    let told = Mutex::new(Vec::new());
    let failing = |failure: &Failure| told.lock().unwrap().push(failure.error_type().to_owned());
    assert_eq!(sender.send(request("late"), failing).await.unwrap(), None);
    assert_eq!(*told.lock().unwrap(), ["503", "429", "502"]);
    assert_eq!(collector.received().len(), 4);
    assert!(collector.received().iter().all(|received| received.body == request("late")));
}

#[tokio::test]
async fn what_may_not_be_sent_again_or_not_in_time_is_sent_once() {
    let wanting = "3600";
    for (script, expected) in [((400, "bad"), "400"), ((401, "who?"), "401"), ((503, wanting), "503")] {
        let collector = HttpCollector::answering([script, script]);
        let address = collector.serve().await;
        let failure = sender_to(address, "http/protobuf", &[]).send(request("lost"), |_| {}).await.unwrap_err();
        assert_eq!(failure.error_type(), expected);
        assert_eq!(collector.received().len(), 1, "{expected}");
    }
}
