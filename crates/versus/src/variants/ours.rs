use std::task::{Context, Poll};
use std::time::Duration;

use telemetry::{Environment, RpcClient, Service, Telemetry, TrustTrace};
use tokio_stream::Stream;
use tonic::transport::{Channel, Endpoint, Server};
use tower_layer::{Layer, layer_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::run::{Attributes, Candidate, Run, Sampling, Transport};
use crate::shop::Shop;
use crate::variants::{Connection, Serving, Variant};
use crate::{Error, wire};

/// A span's own: system, method, address, port, status; with a deadline, that too. A SERVER's has from a socket also the
/// peer's address and port.
const OWN: usize = 5;

/// The crate `telemetry`, with the layers that its users put on. Logs are not exported: no peer does.
pub(crate) struct Ours {
    telemetry: Telemetry,
    attributes: Attributes,
    transport: Transport,
    /// With metrics and deadlines, as it comes.
    is_whole: bool,
}

/// Fills the current span up: put below telemetry's layer, which has made it current.
#[derive(Clone, Debug)]
pub(crate) struct Filled<S> {
    inner: S,
    filling: &'static [&'static str],
}

// === impl Ours ===

impl Ours {
    pub(crate) fn install(run: &Run) -> Result<Self, Error> {
        let (sampler, ratio) = match run.sampling {
            Sampling::On => ("parentbased_always_on", String::new()),
            Sampling::Tenth => ("parentbased_traceidratio", Sampling::TENTH.to_string()),
            Sampling::Off => ("parentbased_always_off", String::new()),
        };
        let is_whole = run.candidate == Candidate::OursWhole;
        let metrics = if is_whole { "otlp" } else { "none" };
        let environment: Environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", run.otlp.as_str()),
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", &ratio),
            ("OTEL_BSP_MAX_QUEUE_SIZE", &run.queue.to_string()),
            // Unset, if it is empty.
            ("TELEMETRY_SPOOL_DIR", run.spool.as_deref().unwrap_or_default()),
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", metrics),
        ]
        .into_iter()
        .collect();
        let telemetry = Telemetry::new(&Service::new("versus", "0"), &environment)?;
        tracing_subscriber::registry().with(telemetry.tracing_layer()).try_init()?;
        Ok(Self { telemetry, attributes: run.attributes, transport: run.transport, is_whole })
    }

    fn filled<S>(&self, own: usize) -> impl Layer<S, Service = Filled<S>> + Clone + use<S> {
        let filling = self.attributes.filling(own);
        layer_fn(move |inner| Filled { inner, filling })
    }
}

impl Variant for Ours {
    type Caller = wire::Client<RpcClient<Filled<Channel>>>;

    fn serve<I: Connection>(
        &self,
        shop: Shop<Self::Caller>,
        incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
    ) -> Serving {
        let peer = if self.transport == Transport::Tcp { 2 } else { 0 };
        let observed = self.telemetry.rpc_server().methods(&wire::descriptors()).trust(TrustTrace::All);
        let observed = if self.is_whole { observed } else { observed.default_deadline(None) };
        let server = Server::builder()
            .layer(observed)
            .layer(self.filled(OWN + usize::from(self.is_whole) + peer))
            .add_service(wire::Server::new(shop));
        Box::pin(server.serve_with_incoming(incoming))
    }

    fn caller(&self, endpoint: &Endpoint, channel: Channel, hop: usize) -> Self::Caller {
        // The first call has no deadline; those made while it is served have what is left of the server's default.
        let deadline = usize::from(self.is_whole && hop > 0);
        let filled = self.filled(OWN + deadline).layer(channel);
        wire::Client::new(self.telemetry.rpc_client(endpoint).layer(filled))
    }

    async fn flush(&self) -> u64 {
        self.telemetry.flush(Duration::from_secs(60)).await.spans.ended
    }
}

// === impl Filled ===

impl<S, R> tower_service::Service<R> for Filled<S>
where
    S: tower_service::Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        telemetry::set_attributes(self.filling.iter().map(|key| (*key, "filled up".into())));
        self.inner.call(request)
    }
}
