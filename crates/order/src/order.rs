//! An order: what is wanted, what it costs, how far it has come.
//!
//! Pure: nothing here waits, stores or sends. The types hold only what their documentation promises, so that no one
//! has to ask again.

mod customer;
mod line;
mod money;
mod state;
mod time;

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

pub(crate) use customer::{Email, PaymentToken};
pub(crate) use line::{Line, Quantity, Sku};
pub(crate) use money::{Currency, Money};
pub(crate) use state::{DeclineReason, Event, OutOfTurn, State, Step};
pub(crate) use time::Timestamp;

/// An order as the shop keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) state: State,
    /// In the caller's order.
    pub(crate) lines: Vec<Line>,
    /// The sum of the lines' totals.
    pub(crate) total: Money,
    /// Known once the payment service has answered.
    pub(crate) payment: Option<PaymentId>,
    /// When the order was accepted.
    pub(crate) created: Timestamp,
    /// When its state last changed.
    pub(crate) updated: Timestamp,
}

/// A state that an order came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) state: State,
    pub(crate) at: Timestamp,
}

/// An order that is wanted and well-formed, not accepted yet. Has no `Debug`: it holds the customer's secrets.
pub(crate) struct NewOrder {
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Money,
    pub(crate) email: Email,
    pub(crate) token: PaymentToken,
}

/// An order's id: a UUID of version 7, so that ids sort by the time they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OrderId(Uuid);

/// The payment service's id of a payment: a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaymentId(Uuid);

/// An event's id: a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId(Uuid);

/// A text that is no id.
#[derive(Debug, thiserror::Error)]
#[error("must be a UUID")]
pub(crate) struct NoId;

/// A sum that no amount of money can hold.
#[derive(Debug, thiserror::Error)]
#[error("cost more than an amount can hold")]
pub(crate) struct TooExpensive;

// === impl NewOrder ===

impl NewOrder {
    /// The most lines an order may have.
    pub(crate) const MAX_LINES: usize = 100;

    /// Adds the lines up.
    pub(crate) fn new(lines: Vec<Line>, email: Email, token: PaymentToken) -> Result<Self, TooExpensive> {
        let total = lines.iter().try_fold(Money::ZERO, |sum, line| sum.plus(line.total())).ok_or(TooExpensive)?;
        Ok(Self { lines, total, email, token })
    }
}

// === impl Order ===

impl Order {
    /// The order that the shop makes of these lines when it accepts them.
    pub(crate) fn accept(lines: Vec<Line>, total: Money) -> Self {
        let now = Timestamp::now();
        Self {
            id: OrderId::generate(),
            state: State::PaymentPending,
            lines,
            total,
            payment: None,
            created: now,
            updated: now,
        }
    }

    /// The order once its payment is known, though perhaps not how it ended.
    pub(crate) fn with_payment(self, payment: Option<PaymentId>) -> Self {
        Self { payment: payment.or(self.payment), ..self }
    }

    /// The order after `event`.
    ///
    /// # Errors
    /// When its state does not allow that.
    pub(crate) fn after(self, event: Event) -> Result<Self, OutOfTurn> {
        Ok(Self { state: self.state.after(event)?, updated: Timestamp::now(), ..self })
    }
}

// === impl OrderId ===

impl OrderId {
    /// An id greater than every one this process made before.
    fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// As 32 hexadecimal digits without hyphens.
    pub(crate) fn as_digits(&self) -> String {
        self.0.as_simple().to_string()
    }
}

impl FromStr for OrderId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        Uuid::try_parse(text).map(Self).map_err(|_| NoId)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl EventId ===

impl FromStr for EventId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        Uuid::try_parse(text).map(Self).map_err(|_| NoId)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl PaymentId ===

impl FromStr for PaymentId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        Uuid::try_parse(text).map(Self).map_err(|_| NoId)
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_order(lines: Vec<Line>) -> Result<NewOrder, TooExpensive> {
        NewOrder::new(lines, Email::parse("ada@example.com").unwrap(), PaymentToken::parse("tok_visa".into()).unwrap())
    }

    fn line(quantity: i32, minor_units: i64) -> Line {
        Line::new("tea".parse().unwrap(), Quantity::try_from(quantity).unwrap(), Money::eur(minor_units)).unwrap()
    }

    #[test]
    fn an_order_costs_the_sum_of_its_lines() {
        let new = new_order(vec![line(2, 450), line(3, 1_200)]).unwrap();
        assert_eq!(new.total, Money::eur(4_500));
    }

    #[test]
    fn a_sum_beyond_any_amount_is_refused() {
        assert!(new_order(vec![line(1, i64::MAX), line(1, 1)]).is_err());
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let ids: Vec<_> = (0..1_000).map(|_| OrderId::generate()).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().map(OrderId::to_string).is_sorted());
    }

    #[test]
    fn an_id_is_read_back_from_its_text() {
        let id = OrderId::generate();
        assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
        assert_eq!(id.as_digits().parse::<OrderId>().unwrap(), id);
        assert!("42".parse::<OrderId>().is_err());
    }
}
