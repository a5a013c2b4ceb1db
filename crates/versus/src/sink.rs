//! An OTLP/gRPC collector that counts spans and keeps none: light, because it shares the machine with those it counts.

use std::fmt;
use std::future::ready;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_prost::ProstCodec;

use crate::Error;
use crate::otlp::{Answer, Anything, Take, Taking, end_of_input};

/// What has arrived.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Received {
    pub(crate) spans: u64,
    /// Spans without a parent: one per trace, where no chain is broken.
    pub(crate) roots: u64,
    /// Attributes of CLIENT spans.
    pub(crate) client: Attributes,
    /// Attributes of SERVER spans.
    pub(crate) server: Attributes,
}

/// The fewest and the most attributes that a span of one kind had.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Attributes {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// The service that exporters of spans call.
#[derive(Clone, Debug, Default)]
struct Sink {
    received: Arc<Mutex<Received>>,
}

/// The service that exporters of metrics call: takes them and does nothing.
#[derive(Clone, Debug)]
struct MetricsSink;

/// As much of `ExportTraceServiceRequest` as is counted; the rest is skipped, not parsed.
#[derive(Clone, PartialEq, prost::Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes = "bytes", tag = "4")]
    parent: Bytes,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    attributes: Vec<Bytes>,
}

/// Says its address on stdout, counts until stdin ends, and says what it has counted.
pub(crate) async fn sink() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    let sink = Sink::default();
    let received = Arc::clone(&sink.received);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_service(Taking(sink))
        .add_service(Taking(MetricsSink))
        .serve_with_incoming_shutdown(incoming, end_of_input())
        .await?;
    let received = *received.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(io::stdout(), "{}", serde_json::to_string(&received)?)?;
    Ok(())
}

// === impl Received ===

impl Received {
    fn add(&mut self, span: &Span) {
        const SERVER: i32 = 2;
        const CLIENT: i32 = 3;
        self.spans += 1;
        self.roots += u64::from(span.parent.is_empty());
        match span.kind {
            CLIENT => self.client.add(span.attributes.len()),
            SERVER => self.server.add(span.attributes.len()),
            _ => {}
        }
    }
}

// === impl Attributes ===

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, most } = self;
        match (least, most) {
            (_, 0) => f.write_str("-"),
            _ if least == most => write!(f, "{most}"),
            _ => write!(f, "{least} to {most}"),
        }
    }
}

impl Attributes {
    fn add(&mut self, attributes: usize) {
        self.least = if self.most == 0 { attributes } else { self.least.min(attributes) };
        self.most = self.most.max(attributes);
    }
}

// === impl Sink ===

impl Take for Sink {
    const SERVICE: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";

    type Request = Export;
    type Codec = ProstCodec<Anything, Export>;

    fn take(&self, request: Export) -> Answer<Result<(), Status>> {
        let scopes = request.resources.iter().flat_map(|resource| &resource.scopes);
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.flat_map(|scope| &scope.spans).for_each(|span| received.add(span));
        Box::pin(ready(Ok(())))
    }
}

// === impl MetricsSink ===

impl Take for MetricsSink {
    const SERVICE: &'static str = "opentelemetry.proto.collector.metrics.v1.MetricsService";

    type Request = Anything;
    type Codec = ProstCodec<Anything, Anything>;

    fn take(&self, _: Anything) -> Answer<Result<(), Status>> {
        Box::pin(ready(Ok(())))
    }
}
