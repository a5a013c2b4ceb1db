//! An OTLP/gRPC collector that counts spans and keeps none: light, because it shares the machine with those it counts.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, stdin};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::Error;

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

/// A message of which nothing is looked at.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Anything {}

pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Says its address on stdout, counts until stdin ends, and says what it has counted.
pub(crate) async fn sink() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    let sink = Sink::default();
    let received = Arc::clone(&sink.received);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_service(sink)
        .add_service(MetricsSink)
        .serve_with_incoming_shutdown(incoming, end_of_input())
        .await?;
    let received = *received.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(io::stdout(), "{}", serde_json::to_string(&received)?)?;
    Ok(())
}

pub(crate) async fn end_of_input() {
    // An input that cannot be read has ended too.
    let _ = stdin().read_to_end(&mut Vec::new()).await;
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

impl NamedService for Sink {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl Service<http::Request<Body>> for Sink {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let sink = self.clone();
        Box::pin(async move {
            let grpc = Grpc::new(ProstCodec::<Anything, Export>::default());
            Ok(grpc.max_decoding_message_size(usize::MAX).unary(sink, request).await)
        })
    }
}

impl UnaryService<Export> for Sink {
    type Response = Anything;
    type Future = Answer<Result<Response<Anything>, Status>>;

    fn call(&mut self, request: Request<Export>) -> Self::Future {
        let resources = request.into_inner().resources;
        let spans = resources.iter().flat_map(|resource| &resource.scopes).flat_map(|scope| &scope.spans);
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        spans.for_each(|span| received.add(span));
        Box::pin(async { Ok(Response::new(Anything {})) })
    }
}

// === impl MetricsSink ===

impl NamedService for MetricsSink {
    const NAME: &'static str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
}

impl Service<http::Request<Body>> for MetricsSink {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async { Ok(Grpc::new(ProstCodec::<Anything, Anything>::default()).unary(MetricsSink, request).await) })
    }
}

impl UnaryService<Anything> for MetricsSink {
    type Response = Anything;
    type Future = std::future::Ready<Result<Response<Anything>, Status>>;

    fn call(&mut self, _: Request<Anything>) -> Self::Future {
        std::future::ready(Ok(Response::new(Anything {})))
    }
}
