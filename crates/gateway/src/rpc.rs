//! The contract's methods: parse, act, answer.

use proto::gateway::v1 as pb;
use proto::gateway::v1::shop_service_server::ShopService;
use tonic::{Request, Response, Status};

use crate::upstream::Upstream;
use crate::wire;

/// The shop as the network sees it.
pub(crate) struct Rpc {
    pub(crate) upstream: Upstream,
}

#[tonic::async_trait]
impl ShopService for Rpc {
    async fn place_order(
        &self,
        request: Request<pb::PlaceOrderRequest>,
    ) -> Result<Response<pb::PlaceOrderResponse>, Status> {
        let request = wire::place_order(request.into_inner());
        let answer = self.upstream.place_order(request).await?;
        Ok(wire::placed(answer))
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        let request = wire::cancel_order(request.into_inner());
        let answer = self.upstream.cancel_order(request).await?;
        Ok(wire::cancelled(answer))
    }

    async fn get_order(&self, request: Request<pb::GetOrderRequest>) -> Result<Response<pb::GetOrderResponse>, Status> {
        let request = wire::get_order(request.into_inner());
        let answer = self.upstream.get_order(request).await?;
        Ok(wire::found(answer))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let request = wire::list_orders(request.into_inner());
        let answer = self.upstream.list_orders(request).await?;
        Ok(wire::listed(answer))
    }
}
