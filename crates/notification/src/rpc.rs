//! The contract's methods: parse, act, answer.

use proto::notification::v1 as pb;
use proto::notification::v1::notification_service_server::NotificationService;
use tonic::{Request, Response, Status};

use crate::deliveries::Deliveries;
use crate::delivery::PageRequest;
use crate::wire::Brought;

/// The notification service as the network sees it.
pub(crate) struct Rpc {
    pub(crate) deliveries: Deliveries,
}

#[tonic::async_trait]
impl NotificationService for Rpc {
    async fn deliver(&self, request: Request<pb::DeliverRequest>) -> Result<Response<pb::DeliverResponse>, Status> {
        let Brought { event, context } = Brought::try_from(request.into_inner())?;
        let is_new = self.deliveries.take_over(event, &context).await?;
        Ok(Response::new(pb::DeliverResponse { known: !is_new }))
    }

    async fn list_deliveries(
        &self,
        request: Request<pb::ListDeliveriesRequest>,
    ) -> Result<Response<pb::ListDeliveriesResponse>, Status> {
        let wanted = PageRequest::try_from(request.into_inner())?;
        let page = self.deliveries.list(wanted).await?;
        Ok(Response::new(page.into()))
    }
}
