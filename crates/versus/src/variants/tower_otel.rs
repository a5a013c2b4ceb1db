use tokio_stream::Stream;
use tonic::transport::{Channel, Endpoint, Server};
use tower_layer::Layer;
use tower_otel::trace::{Grpc, GrpcLayer};
use tracing::Level;

use crate::run::Run;
use crate::shop::Shop;
use crate::variants::stock::Stock;
use crate::variants::{Connection, Serving, Variant};
use crate::{Error, wire};

/// tower-otel's layer for gRPC, which makes traces only.
pub(crate) struct TowerOtel {
    stock: Stock,
}

// === impl TowerOtel ===

impl TowerOtel {
    pub(crate) fn install(run: &Run) -> Result<Self, Error> {
        Ok(Self { stock: Stock::install(run)? })
    }
}

impl Variant for TowerOtel {
    type Caller = wire::Client<Grpc<Channel>>;

    fn serve<I: Connection>(
        &self,
        shop: Shop<Self::Caller>,
        incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
    ) -> Serving {
        let server = Server::builder().layer(GrpcLayer::server(Level::INFO)).add_service(wire::Server::new(shop));
        Box::pin(server.serve_with_incoming(incoming))
    }

    fn caller(&self, _: &Endpoint, channel: Channel, _: usize) -> Self::Caller {
        wire::Client::new(GrpcLayer::client(Level::INFO).layer(channel))
    }

    async fn flush(&self) -> u64 {
        self.stock.flush().await
    }
}
