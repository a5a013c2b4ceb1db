//! An OTLP/gRPC collector that counts spans and looks at nothing in them: as light as can be, for it shares the machine with
//! those that send a million a second. It can misbehave.

use std::future::ready;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Buf;
use prost::encoding::{DecodeContext, decode_key, decode_varint, skip_field};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_prost::ProstCodec;

use crate::Error;
use crate::error::{not_now, unreadable};
use crate::otlp::{Answer, Anything, Take, Taking, end_of_input};

/// How a collector behaves.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Manners {
    /// Takes everything, and says so after so many milliseconds.
    Answers(u64),
    /// Says UNAVAILABLE at once.
    Unavailable,
    /// Takes connections, and never says a word.
    Silent,
    /// Nobody listens.
    Absent,
}

#[derive(Clone, Debug)]
struct Collector {
    manners: Manners,
    spans: Arc<AtomicU64>,
}

/// How many spans an `ExportTraceServiceRequest` has: messages are counted in their place, not made.
#[derive(Debug, Default)]
struct Counted(u64);

/// Says its address on stdout, behaves until stdin ends, and says how many spans it has taken.
pub(crate) async fn collector(manners: Manners) -> Result<(), Error> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse()?)?;
    writeln!(io::stdout(), "http://{}", socket.local_addr()?)?;
    let spans = Arc::<AtomicU64>::default();
    match manners {
        // The port is bound, so that nobody else comes to listen there.
        Manners::Absent => end_of_input().await,
        Manners::Silent => silent(socket.listen(1024)?).await?,
        Manners::Answers(_) | Manners::Unavailable => {
            let incoming = TcpIncoming::from(socket.listen(1024)?).with_nodelay(Some(true));
            let collector = Collector { manners, spans: Arc::clone(&spans) };
            Server::builder()
                .add_service(Taking(collector))
                .serve_with_incoming_shutdown(incoming, end_of_input())
                .await?;
        }
    }
    writeln!(io::stdout(), "{}", spans.load(Ordering::Relaxed))?;
    Ok(())
}

async fn silent(listener: TcpListener) -> io::Result<()> {
    let mut connections = Vec::new();
    let mut ended = std::pin::pin!(end_of_input());
    loop {
        tokio::select! {
            connection = listener.accept() => connections.push(connection?),
            () = &mut ended => return Ok(()),
        }
    }
}

// === impl Collector ===

impl Take for Collector {
    const SERVICE: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";

    type Request = Counted;
    type Codec = Counted;

    fn take(&self, Counted(spans): Counted) -> Answer<Result<(), Status>> {
        let Manners::Answers(after) = self.manners else { return Box::pin(ready(Err(not_now()))) };
        self.spans.fetch_add(spans, Ordering::Relaxed);
        Box::pin(async move {
            if after > 0 {
                sleep(Duration::from_millis(after)).await;
            }
            Ok(())
        })
    }
}

// === impl Counted ===

impl Codec for Counted {
    type Encode = Anything;
    type Decode = Self;
    type Encoder = <ProstCodec<Anything, Anything> as Codec>::Encoder;
    type Decoder = Self;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<Anything, Anything>::default().encoder()
    }

    fn decoder(&mut self) -> Self {
        Self::default()
    }
}

impl Decoder for Counted {
    type Item = Self;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Self>, Status> {
        let request = bytes.copy_to_bytes(bytes.remaining());
        // `ResourceSpans` of the request, `ScopeSpans` of those, and spans of these.
        let spans = spans(&request, &[1, 2, 2]).map_err(|error| unreadable(&error))?;
        Ok(Some(Self(spans)))
    }
}

/// How many messages there are at the end of the fields of `path`, each in the one before.
fn spans(mut message: &[u8], path: &[u32]) -> Result<u64, Error> {
    let Some((field, below)) = path.split_first() else { return Ok(1) };
    let mut count = 0;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message)?;
        if tag == *field {
            let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
            let (inner, rest) = message.split_at_checked(length).ok_or("a message that is cut")?;
            count += spans(inner, below)?;
            message = rest;
        } else {
            skip_field(wire_type, tag, &mut message, DecodeContext::default())?;
        }
    }
    Ok(count)
}
