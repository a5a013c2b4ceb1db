//! The contract's messages into this service's types, and back.

use proto::Invalid;
use proto::notification::v1 as pb;
use proto::types::v1 as types;
use telemetry::MessageContext;
use uuid::Uuid;

use crate::delivery::{Delivery, Event, OrderState, Page, PageRequest};

/// How many deliveries a page holds at most, and unless asked.
const LARGEST_PAGE: i32 = 200;
const USUAL_PAGE: i32 = 50;

/// An event with the trace in which it was written down.
#[derive(Debug)]
pub(crate) struct Brought {
    pub(crate) event: Event,
    pub(crate) context: MessageContext,
}

// === Requests ===

impl TryFrom<pb::DeliverRequest> for Brought {
    type Error = Invalid;

    fn try_from(request: pb::DeliverRequest) -> Result<Self, Invalid> {
        let mut invalid = Invalid::none();
        let state = state(&mut invalid, request.state());
        let id = invalid.check("event_id", uuid(&request.event_id));
        let order = invalid.check("order_id", uuid(&request.order_id));
        if request.sequence < 1 {
            invalid.add("sequence", "must be at least 1");
        }
        if request.customer.is_none_or(|customer| customer.email.is_empty()) {
            invalid.add("customer.email", "is missing");
        }
        let at = request.time.and_then(micros);
        if at.is_none() {
            invalid.add("time", "is missing or no moment");
        }
        let event = (|| Some(Event { id: id?, order: order?, sequence: request.sequence, state: state?, at: at? }))();
        let pb::TraceContext { traceparent, tracestate } = request.trace.unwrap_or_default();
        let context = [("traceparent", traceparent), ("tracestate", tracestate)];
        let context = MessageContext::from_pairs(context.into_iter().filter(|(_, value)| !value.is_empty()));
        invalid.or(event).map(|event| Self { event, context })
    }
}

impl TryFrom<pb::ListDeliveriesRequest> for PageRequest {
    type Error = Invalid;

    fn try_from(request: pb::ListDeliveriesRequest) -> Result<Self, Invalid> {
        let mut invalid = Invalid::none();
        let order = match request.order_id.as_str() {
            "" => None,
            id => invalid.check("order_id", uuid(id)),
        };
        let size = match request.page_size {
            ..0 => {
                invalid.add("page_size", "must not be negative");
                USUAL_PAGE
            }
            0 => USUAL_PAGE,
            size => size.min(LARGEST_PAGE),
        };
        let before = match request.page_token.as_str() {
            "" => None,
            token => {
                let position =
                    token.parse().ok().filter(|position: &i64| *position > 0 && position.to_string() == token);
                invalid.check("page_token", position.ok_or("must be the next_page_token of an earlier answer"))
            }
        };
        invalid.or(Some(Self { order, size: size.into(), before }))
    }
}

fn uuid(text: &str) -> Result<Uuid, &'static str> {
    Uuid::try_parse(text).map_err(|_| "must be a UUID")
}

fn state(invalid: &mut Invalid, state: types::OrderState) -> Option<OrderState> {
    match state {
        types::OrderState::PaymentPending => Some(OrderState::PaymentPending),
        types::OrderState::Paid => Some(OrderState::Paid),
        types::OrderState::Declined => Some(OrderState::Declined),
        types::OrderState::CancelPending => Some(OrderState::CancelPending),
        types::OrderState::Cancelled => Some(OrderState::Cancelled),
        types::OrderState::Unspecified => {
            invalid.add("state", "is missing or unknown");
            None
        }
    }
}

fn micros(time: prost_types::Timestamp) -> Option<i64> {
    time.seconds.checked_mul(1_000_000)?.checked_add(i64::from(time.nanos) / 1_000)
}

// === Answers ===

impl From<Page> for pb::ListDeliveriesResponse {
    fn from(Page { deliveries, next }: Page) -> Self {
        Self {
            deliveries: deliveries.into_iter().map(Into::into).collect(),
            next_page_token: next.map(|position| position.to_string()).unwrap_or_default(),
        }
    }
}

impl From<Delivery> for pb::Delivery {
    fn from(Delivery { event, taken, position: _ }: Delivery) -> Self {
        Self {
            event_id: event.id.to_string(),
            order_id: event.order.to_string(),
            sequence: event.sequence,
            state: types::OrderState::from(event.state).into(),
            event_time: Some(timestamp(event.at)),
            delivery_time: Some(timestamp(taken)),
        }
    }
}

impl From<OrderState> for types::OrderState {
    fn from(state: OrderState) -> Self {
        match state {
            OrderState::PaymentPending => Self::PaymentPending,
            OrderState::Paid => Self::Paid,
            OrderState::Declined => Self::Declined,
            OrderState::CancelPending => Self::CancelPending,
            OrderState::Cancelled => Self::Cancelled,
        }
    }
}

fn timestamp(micros: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).expect("less than a second of nanoseconds");
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}
