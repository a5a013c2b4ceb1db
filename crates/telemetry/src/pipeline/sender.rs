//! Encoded spans on their way to a collector, by OTLP/gRPC.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::error_chain::error_chain;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The first pause before another attempt; each is twice as long as the one before, give or take a quarter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a port that is not meant for this says, and what to do about it.
const HINTS: [(&str, &str); 3] = [
    ("FRAME_SIZE_ERROR", " (this is no OTLP/gRPC port: its number is 4317 mostly, 4318 is for OTLP/HTTP)"),
    ("http2 error", " (is this an OTLP/gRPC port? its number is 4317 mostly)"),
    ("InvalidContentType", " (this port speaks no TLS: its URL begins with http://)"),
];

/// Sends requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    channel: Channel,
    /// Where to, for people.
    collector: Arc<str>,
    headers: MetadataMap,
    /// For one request with all its attempts.
    limit: Duration,
}

/// What a collector answers (`opentelemetry/proto/collector/trace/v1/trace_service.proto`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// The spans that a collector did not want. They are not to be sent again.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_spans: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// Bytes out as they are, answers in.
#[derive(Debug, Default)]
struct Encoded;

// === impl Sender ===

impl Sender {
    /// Sends to `endpoint`, over a connection that lives on the runtime it is called in.
    pub(super) fn new(endpoint: &Endpoint, headers: MetadataMap, limit: Duration) -> Self {
        let uri = endpoint.uri();
        // Not the whole: there may be a password before the host.
        let (host, port) = (uri.host().unwrap_or_default(), uri.port());
        let collector = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")).into();
        Self { channel: endpoint.connect_lazy(), collector, headers, limit }
    }

    /// Why a request could not be sent, for people.
    pub(super) fn told(&self, status: &Status) -> String {
        let reason = error_chain(status);
        let hint = HINTS.iter().find(|(sign, _)| reason.contains(sign)).map_or("", |(_, hint)| hint);
        format!("{}: {reason}{hint}", self.collector)
    }

    /// Sends one request until it is taken, refused for good, or out of time, by the rules of OTLP ("OTLP/gRPC
    /// Throttling", "Failures").
    /// `failing` is told what keeps it from arriving at once.
    pub(super) async fn send(&self, body: Bytes, failing: impl Fn(&Status)) -> Result<Option<PartialSuccess>, Status> {
        let until = Instant::now() + self.limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = timeout_at(until, self.attempt(body.clone())).await;
            let status = match attempt {
                Ok(Ok(answer)) => return Ok(answer.partial_success),
                Ok(Err(status)) => status,
                Err(_) => return Err(Status::deadline_exceeded("the collector has not answered in time")),
            };
            let Some(wanted) = pause_before_retry(&status, pause) else { return Err(status) };
            if wanted >= until.saturating_duration_since(Instant::now()) {
                return Err(status);
            }
            failing(&status);
            sleep(wanted).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, body: Bytes) -> Result<Answer, Status> {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.map_err(not_ready)?;
        let request = Request::from_parts(self.headers.clone(), Default::default(), body);
        let answer = client.unary(request, PathAndQuery::from_static(EXPORT), Encoded).await?;
        Ok(answer.into_inner())
    }
}

/// There is nothing to send over.
fn not_ready(error: tonic::transport::Error) -> Status {
    let mut status = Status::unavailable("no connection");
    status.set_source(Arc::new(error));
    status
}

/// How long to wait before the same request is sent again; `None` if it must not be.
///
/// At least as long as the collector wants: one that keeps wanting nothing at all is not to be asked without a pause.
fn pause_before_retry(status: &Status, pause: Duration) -> Option<Duration> {
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let pause = jittered(pause).max(asked.unwrap_or_default());
    match status.code() {
        // No collector's answer: the connection was lost, and with it whether the request has arrived ("Duplicate Data").
        _ if status.source().is_some() => Some(pause),
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Some(pause),
        // The collector is full. Only if it says when is it to be asked again.
        Code::ResourceExhausted => asked.map(|_| pause),
        _ => None,
    }
}

/// Three quarters to five quarters of it, so that processes that were cut off together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let [chance, ..] = *uuid::Uuid::new_v4().as_bytes();
    pause.mul_f64(0.75 + f64::from(chance) / 510.0)
}

// === impl Encoded ===

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Answer;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, body: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(body);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Answer;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Answer>, Status> {
        let answer = Answer::decode(bytes.copy_to_bytes(bytes.remaining()));
        answer.map(Some).map_err(|error| Status::internal(format!("the collector's answer cannot be read: {error}")))
    }
}

#[cfg(test)]
mod tests;
