//! A collector in this process, and what has arrived there.

use std::net::SocketAddr;

use serde_json::Value;
use telemetry::testing::{SpanRecord, Trace};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use crate::shop::{bind, hold};

/// A running collector.
pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) query: SocketAddr,
    task: JoinHandle<()>,
}

// === impl Collector ===

impl Collector {
    pub(crate) async fn start() -> Self {
        let listeners = collector::Listeners { grpc: bind().await, http: bind().await, query: bind().await };
        let [grpc, http, query] =
            [&listeners.grpc, &listeners.http, &listeners.query].map(|listener| listener.local_addr().unwrap());
        let served = collector::serve(listeners, collector::Config::default(), std::future::pending());
        let task = telemetry::spawn(async { served.await.unwrap() });
        Self { grpc, http, query, task }
    }

    /// Where to export to.
    pub(crate) fn otlp(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Ends it as `kill -9` would. What is given back keeps its port from another test, and refuses.
    pub(crate) async fn kill(self) -> TcpSocket {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        hold(self.grpc).await
    }

    /// What has arrived of a trace so far.
    pub(crate) async fn trace(&self, id: &str) -> Trace {
        let answer = reqwest::get(format!("http://{}/api/v3/traces/{id}", self.query)).await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        Trace::new(spans(&answer["result"]))
    }
}

/// The spans of OTLP's JSON, read strictly: a field of the wrong form fails.
pub(crate) fn spans(document: &Value) -> Vec<SpanRecord> {
    let batches = document["resourceSpans"].as_array().unwrap_or_else(|| panic!("no spans: {document}")).iter();
    let scopes = batches.flat_map(|batch| {
        let service = attribute(&batch["resource"]["attributes"], "service.name").unwrap();
        let scopes = batch["scopeSpans"].as_array().unwrap().iter();
        scopes.map(move |scope| (service.clone(), scope))
    });
    let spans = scopes.flat_map(|(service, scope)| {
        let spans = scope["spans"].as_array().unwrap().iter();
        spans.map(move |span| record(&service, span))
    });
    spans.collect()
}

fn record(service: &str, span: &Value) -> SpanRecord {
    let hex = |field: &Value, digits| {
        let id = field.as_str().unwrap();
        assert!(id.len() == digits && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{span}");
        id.to_owned()
    };
    let nanos = |field: &Value| field.as_str().unwrap().parse().unwrap();
    let kinds = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let attributes = span["attributes"].as_array().unwrap().iter();
    SpanRecord {
        trace_id: hex(&span["traceId"], 32),
        span_id: hex(&span["spanId"], 16),
        parent_span_id: span.get("parentSpanId").map(|parent| hex(parent, 16)),
        service: service.to_owned(),
        kind: kinds[usize::try_from(span["kind"].as_u64().unwrap()).unwrap()].to_owned(),
        name: span["name"].as_str().unwrap().to_owned(),
        is_error: span["status"]["code"] == 2,
        start: nanos(&span["startTimeUnixNano"]),
        end: nanos(&span["endTimeUnixNano"]),
        attributes: attributes.map(|pair| (pair["key"].as_str().unwrap().to_owned(), text(&pair["value"]))).collect(),
        ..SpanRecord::default()
    }
}

fn attribute(attributes: &Value, key: &str) -> Option<String> {
    let attribute = attributes.as_array()?.iter().find(|pair| pair["key"] == key)?;
    Some(text(&attribute["value"]))
}

/// The one field of an attribute's value is named for its type.
fn text(value: &Value) -> String {
    let (_, value) = value.as_object().unwrap().iter().next().unwrap();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
