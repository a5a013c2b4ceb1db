use tokio_stream::Stream;
use tonic::transport::{Channel, Endpoint, Server};
use tracing::subscriber::NoSubscriber;

use crate::shop::Shop;
use crate::variants::{Connection, Serving, Variant};
use crate::{Error, wire};

/// tonic without telemetry.
pub(crate) struct Bare;

// === impl Bare ===

impl Bare {
    /// Says that nobody listens to `tracing`. Unsaid, its spans would be offered to the `log` crate, which some
    /// dependencies turn on; the spans of h2 alone cost more then than the whole telemetry of an unsampled call.
    pub(crate) fn install() -> Result<Self, Error> {
        tracing::subscriber::set_global_default(NoSubscriber::default())?;
        Ok(Self)
    }
}

impl Variant for Bare {
    type Caller = wire::Client<Channel>;

    fn serve<I: Connection>(
        &self,
        shop: Shop<Self::Caller>,
        incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
    ) -> Serving {
        Box::pin(Server::builder().add_service(wire::Server::new(shop)).serve_with_incoming(incoming))
    }

    fn caller(&self, _: &Endpoint, channel: Channel, _: usize) -> Self::Caller {
        wire::Client::new(channel)
    }

    async fn flush(&self) -> u64 {
        0
    }
}
