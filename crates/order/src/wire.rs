//! The contract's messages into this service's types, and back.

mod events;

use std::collections::HashSet;

use prost::Message;
use proto::Invalid;
use proto::order::v1 as pb;
use proto::types::v1 as types;
use sha2::{Digest, Sha256};
use tonic::Response;
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::catalogue;
use crate::idempotency::{Fingerprint, IdempotencyKey, Ticket};
use crate::listing::{Page, PageRequest, PageSize, PageToken};
use crate::order::{
    DeclineReason, Email, Line, Money, NewOrder, Order, OrderId, PaymentToken, Quantity, State, Timestamp,
};
use crate::orders::{Found, Placed, Submission};

/// So many violations are named at most: more would not fit into the headers a client is sure to accept (8 KiB).
const MAX_VIOLATIONS: usize = 40;

/// Marks an answer that an earlier call with the same key was given already.
pub(crate) fn mark_replayed(metadata: &mut MetadataMap) {
    metadata.insert("idempotent-replayed", MetadataValue::from_static("true"));
}

// === Requests ===

impl TryFrom<pb::PlaceOrderRequest> for Submission {
    type Error = Invalid;

    /// # Errors
    /// When the key is malformed: such a request can't be known. Other violations stand in the order.
    fn try_from(request: pb::PlaceOrderRequest) -> Result<Self, Invalid> {
        let fingerprint = Fingerprint(Sha256::digest(request.encode_to_vec()).into());
        let mut invalid = Invalid::none();
        let key = invalid.check("idempotency_key", IdempotencyKey::parse(request.idempotency_key));
        let lines = lines(&mut invalid, request.items);
        let email = email(&mut invalid, request.customer);
        let token = invalid.check("payment_token", PaymentToken::parse(request.payment_token));
        let Some(key) = key else { return Err(invalid) };

        let order = match (lines, email, token) {
            (Some(lines), Some(email), Some(token)) => {
                let order = invalid.check("items", NewOrder::new(lines, email, token));
                invalid.or(order)
            }
            _ => invalid.or(None),
        };
        Ok(Self { ticket: Ticket { key, fingerprint }, order })
    }
}

fn lines(invalid: &mut Invalid, items: Vec<types::Item>) -> Option<Vec<Line>> {
    if items.is_empty() {
        invalid.add("items", "must hold at least 1 item");
        return None;
    }
    if items.len() > NewOrder::MAX_LINES {
        invalid.add("items", format!("must hold at most {} items", NewOrder::MAX_LINES));
        return None;
    }
    let mut lines = Vec::with_capacity(items.len());
    let mut seen = HashSet::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if invalid.violations().len() >= MAX_VIOLATIONS {
            invalid.add("items", format!("from items[{index}] on not checked"));
            return None;
        }
        let sku = format!("items[{index}].sku");
        let article = invalid.check(&sku, catalogue::find(&item.sku));
        if article.is_some() && !seen.insert(&item.sku) {
            invalid.add(&sku, "must not stand in two items");
        }
        let quantity = invalid.check(&format!("items[{index}].quantity"), Quantity::try_from(item.quantity));
        if let (Some(article), Some(quantity)) = (article, quantity) {
            lines.extend(invalid.check(&sku, Line::new(article.sku, quantity, article.price)));
        }
    }
    Some(lines)
}

fn email(invalid: &mut Invalid, customer: Option<types::Customer>) -> Option<Email> {
    match customer {
        Some(customer) => invalid.check("customer.email", Email::parse(&customer.email)),
        None => {
            invalid.add("customer", "is missing");
            None
        }
    }
}

impl TryFrom<pb::CancelOrderRequest> for OrderId {
    type Error = Invalid;

    fn try_from(request: pb::CancelOrderRequest) -> Result<Self, Invalid> {
        order_id(&request.order_id)
    }
}

impl TryFrom<pb::GetOrderRequest> for OrderId {
    type Error = Invalid;

    fn try_from(request: pb::GetOrderRequest) -> Result<Self, Invalid> {
        order_id(&request.order_id)
    }
}

fn order_id(text: &str) -> Result<OrderId, Invalid> {
    let mut invalid = Invalid::none();
    let id = invalid.check("order_id", text.parse());
    invalid.or(id)
}

impl TryFrom<pb::ListOrdersRequest> for PageRequest {
    type Error = Invalid;

    fn try_from(request: pb::ListOrdersRequest) -> Result<Self, Invalid> {
        let mut invalid = Invalid::none();
        let size = invalid.check("page_size", PageSize::try_from(request.page_size));
        let after = match request.page_token.as_str() {
            "" => None,
            token => invalid.check("page_token", token.parse::<PageToken>()),
        };
        invalid.or(size.map(|size| PageRequest { size, after }))
    }
}

// === Answers ===

impl From<Placed> for Response<pb::PlaceOrderResponse> {
    fn from(Placed { order, replayed }: Placed) -> Self {
        let mut response = Self::new(pb::PlaceOrderResponse { order: Some(order.into()) });
        if replayed {
            mark_replayed(response.metadata_mut());
        }
        response
    }
}

impl From<Order> for pb::CancelOrderResponse {
    fn from(order: Order) -> Self {
        Self { order: Some(order.into()) }
    }
}

impl From<Found> for pb::GetOrderResponse {
    fn from(Found { order, history }: Found) -> Self {
        Self { order: Some(order.into()), history: history.into_iter().map(Into::into).collect() }
    }
}

impl From<Page> for pb::ListOrdersResponse {
    fn from(Page { orders, next }: Page) -> Self {
        Self {
            orders: orders.into_iter().map(types::Order::from).collect(),
            next_page_token: next.map(PageToken::encode).unwrap_or_default(),
        }
    }
}

impl From<Order> for types::Order {
    fn from(order: Order) -> Self {
        Self {
            id: order.id.to_string(),
            state: types::OrderState::from(order.state).into(),
            lines: order.lines.into_iter().map(types::OrderLine::from).collect(),
            total: Some(order.total.into()),
            payment_id: order.payment.map(|id| id.to_string()).unwrap_or_default(),
            decline_reason: decline_reason(order.state).into(),
            create_time: Some(order.created.into()),
            update_time: Some(order.updated.into()),
        }
    }
}

impl From<Line> for types::OrderLine {
    fn from(line: Line) -> Self {
        Self {
            sku: line.sku().to_string(),
            quantity: line.quantity().get().into(),
            unit_price: Some(line.unit_price().into()),
            total: Some(line.total().into()),
        }
    }
}

impl From<Money> for types::Money {
    fn from(money: Money) -> Self {
        Self { minor_units: money.minor_units(), currency_code: money.currency().as_str().to_owned() }
    }
}

fn decline_reason(state: State) -> types::DeclineReason {
    match state {
        State::Declined(reason) => reason.into(),
        _ => types::DeclineReason::Unspecified,
    }
}

impl From<State> for types::OrderState {
    fn from(state: State) -> Self {
        match state {
            State::PaymentPending => Self::PaymentPending,
            State::Paid => Self::Paid,
            State::Declined(_) => Self::Declined,
            State::CancelPending { .. } => Self::CancelPending,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl From<DeclineReason> for types::DeclineReason {
    fn from(reason: DeclineReason) -> Self {
        match reason {
            DeclineReason::CardDeclined => Self::CardDeclined,
            DeclineReason::InsufficientFunds => Self::InsufficientFunds,
            DeclineReason::CardExpired => Self::CardExpired,
        }
    }
}

impl From<Timestamp> for prost_types::Timestamp {
    fn from(at: Timestamp) -> Self {
        let micros = at.as_micros();
        let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).expect("less than a second of nanoseconds");
        Self { seconds: micros.div_euclid(1_000_000), nanos }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Sku;

    /// An order that takes as many bytes as any.
    fn largest_order() -> Order {
        let (quantity, cents) = (Quantity::try_from(i32::from(Quantity::MAX)).unwrap(), Money::eur(i64::MAX / 1_000));
        let line = Line::new("a".repeat(Sku::MAX_LENGTH).parse().unwrap(), quantity, cents).unwrap();
        let id = "0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0aa";
        Order {
            id: id.parse().unwrap(),
            state: State::Declined(DeclineReason::CardExpired),
            lines: vec![line; NewOrder::MAX_LINES],
            total: Money::eur(i64::MAX),
            payment: Some(id.parse().unwrap()),
            created: Timestamp::from_micros(i64::MAX),
            updated: Timestamp::from_micros(i64::MAX),
        }
    }

    #[test]
    fn the_largest_page_is_within_the_limit() {
        let order = largest_order();
        let next = Some(PageToken::ending_with(order.id));
        let page = Page { orders: vec![order; PageSize::MAX.into()], next };
        let size = pb::ListOrdersResponse::from(page).encoded_len();
        assert!((crate::LARGEST_ANSWER / 2..crate::LARGEST_ANSWER).contains(&size), "{size}");
    }

    #[test]
    fn a_moment_keeps_its_microseconds() {
        let wire = prost_types::Timestamp::from(Timestamp::from_micros(1_500_000_000_123_456));
        assert_eq!((wire.seconds, wire.nanos), (1_500_000_000, 123_456_000));
        let before = prost_types::Timestamp::from(Timestamp::from_micros(-1));
        assert_eq!((before.seconds, before.nanos), (-1, 999_999_000));
    }
}
