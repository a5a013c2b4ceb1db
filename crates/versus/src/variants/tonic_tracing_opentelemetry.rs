use tokio_stream::Stream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_tracing_opentelemetry::middleware::{client, server};
use tower_layer::Layer;

use crate::run::Run;
use crate::shop::Shop;
use crate::variants::stock::Stock;
use crate::variants::{Connection, Serving, Variant};
use crate::{Error, wire};

/// tonic-tracing-opentelemetry's two layers.
pub(crate) struct TonicTracingOpentelemetry {
    stock: Stock,
}

// === impl TonicTracingOpentelemetry ===

impl TonicTracingOpentelemetry {
    pub(crate) fn install(run: &Run) -> Result<Self, Error> {
        Ok(Self { stock: Stock::install(run)? })
    }
}

impl Variant for TonicTracingOpentelemetry {
    type Caller = wire::Client<client::OtelGrpcService<Channel>>;

    fn serve<I: Connection>(
        &self,
        shop: Shop<Self::Caller>,
        incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
    ) -> Serving {
        let server = Server::builder().layer(server::OtelGrpcLayer::default()).add_service(wire::Server::new(shop));
        Box::pin(server.serve_with_incoming(incoming))
    }

    fn caller(&self, _: &Endpoint, channel: Channel, _: usize) -> Self::Caller {
        wire::Client::new(client::OtelGrpcLayer.layer(channel))
    }

    async fn flush(&self) -> u64 {
        self.stock.flush().await
    }
}
