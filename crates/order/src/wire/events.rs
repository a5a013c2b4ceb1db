//! What happened to orders.

use proto::Invalid;
use proto::order::v1 as pb;
use proto::types::v1 as types;

use super::decline_reason;
use crate::order::{Change, EventId};
use crate::outbox::Parked;

impl TryFrom<pb::RequeueEventRequest> for EventId {
    type Error = Invalid;

    fn try_from(request: pb::RequeueEventRequest) -> Result<Self, Invalid> {
        let mut invalid = Invalid::none();
        let id = invalid.check("event_id", request.event_id.parse());
        invalid.or(id)
    }
}

impl From<Change> for types::OrderChange {
    fn from(Change { state, at }: Change) -> Self {
        Self {
            state: types::OrderState::from(state).into(),
            decline_reason: decline_reason(state).into(),
            time: Some(at.into()),
        }
    }
}

impl From<Parked> for pb::ParkedEvent {
    fn from(Parked { id, order, sequence, state, since }: Parked) -> Self {
        Self {
            id,
            order_id: order.to_string(),
            sequence,
            state: types::OrderState::from(state).into(),
            park_time: Some(since.into()),
        }
    }
}
