//! The order service as the gateway sees it.

use std::time::Duration;

use proto::order::v1 as order;
use proto::order::v1::order_service_client::OrderServiceClient;
use telemetry::{RpcChannel, Telemetry};
use tonic::Response;
use tonic::transport::{Endpoint, Uri};

use crate::error::Failure;

/// The client of the order service.
#[derive(Clone)]
pub(crate) struct Upstream {
    client: OrderServiceClient<RpcChannel>,
}

/// A channel to the order service that connects at the first call, and again whenever it must.
pub(crate) fn channel(order: Uri, telemetry: &Telemetry) -> RpcChannel {
    let endpoint = Endpoint::from(order)
        .connect_timeout(Duration::from_secs(1))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    telemetry.rpc_client(&endpoint).layer(endpoint.connect_lazy())
}

// === impl Upstream ===

impl Upstream {
    pub(crate) fn new(channel: RpcChannel) -> Self {
        let client = OrderServiceClient::new(channel)
            .max_encoding_message_size(crate::LARGEST_REQUEST)
            .max_decoding_message_size(crate::LARGEST_ANSWER);
        Self { client }
    }

    pub(crate) async fn place_order(
        &self,
        request: order::PlaceOrderRequest,
    ) -> Result<Response<order::PlaceOrderResponse>, Failure> {
        Ok(self.client.clone().place_order(request).await?)
    }

    pub(crate) async fn cancel_order(
        &self,
        request: order::CancelOrderRequest,
    ) -> Result<Response<order::CancelOrderResponse>, Failure> {
        Ok(self.client.clone().cancel_order(request).await?)
    }

    pub(crate) async fn get_order(
        &self,
        request: order::GetOrderRequest,
    ) -> Result<Response<order::GetOrderResponse>, Failure> {
        Ok(self.client.clone().get_order(request).await?)
    }

    pub(crate) async fn list_orders(
        &self,
        request: order::ListOrdersRequest,
    ) -> Result<Response<order::ListOrdersResponse>, Failure> {
        Ok(self.client.clone().list_orders(request).await?)
    }
}
