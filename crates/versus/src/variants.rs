//! The candidates: how each one's servers and clients are made.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint};

use crate::run::{Attributes, Sampling};
use crate::shop::{Place, Shop};

pub(crate) mod bare;
pub(crate) mod ours;
pub(crate) mod stock;
pub(crate) mod tonic_tracing_opentelemetry;
pub(crate) mod tower_otel;
pub(crate) mod tutorial;

/// How many attributes a span of a call has once it is filled up.
const FULL: usize = 10;

/// What fills a span up: texts, as most attributes are.
const FILLING: [&str; FULL] =
    ["fill.0", "fill.1", "fill.2", "fill.3", "fill.4", "fill.5", "fill.6", "fill.7", "fill.8", "fill.9"];

/// A running server.
pub(crate) type Serving = Pin<Box<dyn Future<Output = Result<(), tonic::transport::Error>> + Send>>;

/// A candidate: telemetry that is set up and ready to be put around servers and clients.
pub(crate) trait Variant {
    type Caller: Place;

    /// Serves `shop` to those who come; `transport` makes their connections.
    fn serve<I: Connection>(
        &self,
        shop: Shop<Self::Caller>,
        incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
    ) -> Serving;

    /// A client of the server at the other end of `channel`, which is hop number `hop`.
    fn caller(&self, endpoint: &Endpoint, channel: Channel, hop: usize) -> Self::Caller;

    /// Exports what has ended, and says how many sampled spans that was so far.
    fn flush(&self) -> impl Future<Output = u64>;
}

/// What a server reads from and writes to.
pub(crate) trait Connection:
    AsyncRead + AsyncWrite + Connected<ConnectInfo: Clone + Send + Sync> + Unpin + Send + 'static
{
}

// === impl Connection ===

impl Connection for TcpStream {}
impl Connection for DuplexStream {}

// === impl Sampling ===

impl Sampling {
    fn sampler(self) -> opentelemetry_sdk::trace::Sampler {
        use opentelemetry_sdk::trace::Sampler;
        Sampler::ParentBased(Box::new(match self {
            Self::On => Sampler::AlwaysOn,
            Self::Tenth => Sampler::TraceIdRatioBased(Self::TENTH),
            Self::Off => Sampler::AlwaysOff,
        }))
    }
}

// === impl Attributes ===

impl Attributes {
    /// What a span that has `own` attributes is filled up with.
    fn filling(self, own: usize) -> &'static [&'static str] {
        match self {
            Self::Ten => &FILLING[own.min(FULL)..],
            Self::Own => &[],
        }
    }
}
