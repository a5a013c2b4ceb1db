//! The contract's methods: parse, act, answer.

use proto::order::v1 as pb;
use proto::order::v1::order_service_server::OrderService;
use tonic::{Request, Response, Status};

use crate::listing::PageRequest;
use crate::order::{EventId, OrderId};
use crate::orders::{Orders, Submission};

/// The order service as the network sees it.
pub(crate) struct Rpc {
    pub(crate) orders: Orders,
}

#[tonic::async_trait]
impl OrderService for Rpc {
    async fn place_order(
        &self,
        request: Request<pb::PlaceOrderRequest>,
    ) -> Result<Response<pb::PlaceOrderResponse>, Status> {
        let submission = Submission::try_from(request.into_inner())?;
        let placed = self.orders.place(submission).await?;
        Ok(placed.into())
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        let id = OrderId::try_from(request.into_inner())?;
        let order = self.orders.cancel(id).await?;
        Ok(Response::new(order.into()))
    }

    async fn get_order(&self, request: Request<pb::GetOrderRequest>) -> Result<Response<pb::GetOrderResponse>, Status> {
        let id = OrderId::try_from(request.into_inner())?;
        let found = self.orders.get(id).await?;
        Ok(Response::new(found.into()))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let wanted = PageRequest::try_from(request.into_inner())?;
        let page = self.orders.list(wanted).await?;
        Ok(Response::new(page.into()))
    }

    async fn list_parked_events(
        &self,
        _: Request<pb::ListParkedEventsRequest>,
    ) -> Result<Response<pb::ListParkedEventsResponse>, Status> {
        let events = self.orders.parked_events().await?;
        Ok(Response::new(pb::ListParkedEventsResponse { events: events.into_iter().map(Into::into).collect() }))
    }

    async fn requeue_event(
        &self,
        request: Request<pb::RequeueEventRequest>,
    ) -> Result<Response<pb::RequeueEventResponse>, Status> {
        let id = EventId::try_from(request.into_inner())?;
        self.orders.requeue_event(id).await?;
        Ok(Response::new(pb::RequeueEventResponse {}))
    }
}
