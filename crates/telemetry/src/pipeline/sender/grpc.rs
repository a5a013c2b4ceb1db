//! OTLP/gRPC.

use std::error::Error;
use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use prost::Message;
use tokio::runtime::Handle;
use tonic::client::Grpc as Client;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::answer::{Answer, Rejected};
use super::failure::{Failure, Verdict};
use super::{CONNECT_TIMEOUT, KEEP_ALIVE, USER_AGENT, hints};
use crate::error_chain::error_chain;
use crate::pipeline::otlp::Otlp;
use crate::pipeline::signal::Signal;
use crate::rpc::code_name;

/// What other servers say of a request that is larger than they take, gRPC's own by a code that promises nothing, tonic by
/// one that promises that the same request may be taken later.
const TOO_LARGE: [&str; 2] = ["larger than max", "message length too large"];

/// What tonic makes of an answer by HTTP alone: of one without and of one with a body.
const NO_GRPC: [&str; 2] = ["grpc-status header missing", "invalid compression flag"];

/// A connection to a collector.
#[derive(Clone)]
pub(super) struct Grpc {
    channel: Channel,
    metadata: MetadataMap,
    signal: Signal,
    is_gzip: bool,
}

/// Bytes out as they are, answers in.
#[derive(Debug, Default)]
struct Encoded;

// === impl Grpc ===

impl Grpc {
    /// # Errors
    /// When the settings do not make a connection, with the reason.
    pub(super) fn new(otlp: &Otlp, runtime: &Handle) -> Result<Self, String> {
        let endpoint = endpoint(otlp).map_err(|error| hints::with_tls(error_chain(&error)))?;
        let _guard = runtime.enter();
        Ok(Self {
            channel: endpoint.connect_lazy(),
            metadata: otlp.metadata(),
            signal: otlp.signal,
            is_gzip: otlp.is_gzip,
        })
    }

    pub(super) async fn attempt(&self, body: Bytes) -> Result<Option<Rejected>, Failure> {
        let answer = self.call(body).await.map_err(|status| failure(self.signal, &status))?;
        Ok(answer.rejected())
    }

    async fn call(&self, body: Bytes) -> Result<Answer, Status> {
        let mut client = Client::new(self.channel.clone());
        if self.is_gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        client.ready().await.map_err(not_ready)?;
        let request = Request::from_parts(self.metadata.clone(), Default::default(), body);
        let answer = client.unary(request, self.signal.grpc_path(), Encoded).await?;
        Ok(answer.into_inner())
    }
}

fn endpoint(otlp: &Otlp) -> Result<Endpoint, tonic::transport::Error> {
    let url = otlp.url.expose();
    let endpoint = Endpoint::from_shared(url.as_str().to_owned())?
        .user_agent(USER_AGENT)?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    match otlp.tls.grpc(url) {
        Some(tls) => endpoint.tls_config(tls),
        None => Ok(endpoint),
    }
}

/// There is nothing to send over.
fn not_ready(error: tonic::transport::Error) -> Status {
    let mut status = Status::unavailable("no connection");
    status.set_source(Arc::new(error));
    status
}

fn failure(signal: Signal, status: &Status) -> Failure {
    // No collector's answer: the connection was lost, and with it whether the request has arrived ("Duplicate Data").
    if let Some(cause) = status.source() {
        return lost(status.code(), cause);
    }
    let text = error_chain(status);
    let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let is_too_large = TOO_LARGE.iter().any(|sign| status.message().contains(sign));
    let verdict = match status.code() {
        _ if is_too_large => Verdict::BadRequest,
        Code::InvalidArgument => Verdict::BadRequest,
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Verdict::Transient,
        // The collector is full. Only if it says until when is it to be asked again.
        Code::ResourceExhausted if retry_after.is_some() => Verdict::Transient,
        Code::ResourceExhausted => Verdict::Full,
        _ => Verdict::Refused,
    };
    let hint = match status.code() {
        _ if is_too_large => hints::TOO_LARGE,
        _ if NO_GRPC.iter().any(|sign| status.message().contains(sign)) => hints::NOT_GRPC,
        Code::Unauthenticated | Code::PermissionDenied => hints::HEADERS,
        Code::ResourceExhausted | Code::Unavailable => hints::OVERLOADED,
        Code::Unimplemented => hints::of_unimplemented(signal),
        _ => "",
    };
    Failure::new(verdict, code_name(status.code()), text).after(retry_after).hinted(hint)
}

/// The code is tonic's own: what it makes of the cause.
fn lost(code: Code, cause: &(dyn Error + 'static)) -> Failure {
    let text = error_chain(cause);
    // With any other code there was a connection at least, and who was at its other end did not like what it was sent.
    let may_be_other_port = code != Code::Unavailable || hints::is_other_protocol(&text);
    Failure::lost(is_timeout(cause), text, may_be_other_port, hints::NOT_GRPC)
}

fn is_timeout(cause: &(dyn Error + 'static)) -> bool {
    let chain = std::iter::successors(Some(cause), |&error| error.source());
    let mut io = chain.filter_map(|error| error.downcast_ref::<io::Error>());
    io.any(|error| error.kind() == io::ErrorKind::TimedOut)
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
