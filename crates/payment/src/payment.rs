//! What a payment is and how it moves from state to state: decisions only, no clock, no store, no network.

mod id;
mod money;
mod time;
mod token;

use std::fmt;

pub(crate) use self::id::{BankKey, OrderId, PaymentId, TransactionId};
pub(crate) use self::money::Money;
pub(crate) use self::time::Timestamp;
pub(crate) use self::token::PaymentToken;

/// What a caller wants charged.
pub(crate) struct Charge {
    pub(crate) order_id: OrderId,
    pub(crate) amount: Money,
    pub(crate) token: PaymentToken,
}

/// What a caller wants given back: the whole amount of a payment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refund {
    pub(crate) payment_id: PaymentId,
}

/// A payment as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) amount: Money,
    pub(crate) state: State,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A state that a payment came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) state: State,
    pub(crate) at: Timestamp,
}

/// How far a payment has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The intent is kept; whether the money moved is not known.
    Pending,
    /// The money moved.
    Captured(TransactionId),
    /// The bank refused. Final.
    Declined(DeclineReason),
    /// The intent to give the money back is kept; whether it moved is not known.
    RefundPending(TransactionId),
    /// The money moved back. Final.
    Refunded(TransactionId),
}

/// What moves a payment to its next state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The bank moved the money.
    Captured(TransactionId),
    /// The bank refused to move it.
    Declined(DeclineReason),
    /// A caller asked for the money back.
    RefundAsked,
    /// The bank moved the money back.
    Refunded,
}

/// Why the bank refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclineReason {
    /// It does not say.
    CardDeclined,
    /// The account does not hold the amount.
    InsufficientFunds,
    /// The card is past its expiry date.
    CardExpired,
}

/// An event that a payment's state leaves no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment's state does not allow this")]
pub(crate) struct OutOfTurn;

// === impl Payment ===

impl Payment {
    /// The intent to charge `charge`.
    pub(crate) fn intended(id: PaymentId, charge: &Charge, now: Timestamp) -> Self {
        let Charge { order_id, amount, token: _ } = charge;
        Self { id, order_id: *order_id, amount: *amount, state: State::Pending, created_at: now, updated_at: now }
    }

    /// This payment after `event`.
    ///
    /// # Errors
    /// When its state does not allow that.
    pub(crate) fn after(&self, event: Event, now: Timestamp) -> Result<Self, OutOfTurn> {
        Ok(Self { state: self.state.after(event)?, updated_at: now, ..self.clone() })
    }
}

// === impl State ===

impl State {
    /// The bank's own id of the transaction, once the bank has moved money.
    pub(crate) fn transaction_id(&self) -> Option<&TransactionId> {
        match self {
            Self::Captured(id) | Self::RefundPending(id) | Self::Refunded(id) => Some(id),
            Self::Pending | Self::Declined(_) => None,
        }
    }

    /// Every way a payment can go; none leads back.
    fn after(&self, event: Event) -> Result<Self, OutOfTurn> {
        match (self, event) {
            (Self::Pending, Event::Captured(id)) => Ok(Self::Captured(id)),
            (Self::Pending, Event::Declined(reason)) => Ok(Self::Declined(reason)),
            (Self::Captured(id), Event::RefundAsked) => Ok(Self::RefundPending(id.clone())),
            (Self::RefundPending(id), Event::Refunded) => Ok(Self::Refunded(id.clone())),
            _ => Err(OutOfTurn),
        }
    }
}

// === impl DeclineReason ===

impl DeclineReason {
    /// The reason as callers, the store and the bank (in lower case) spell it.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::CardDeclined => "CARD_DECLINED",
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::CardExpired => "CARD_EXPIRED",
        }
    }
}

impl fmt::Display for DeclineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CardDeclined => "the card was declined",
            Self::InsufficientFunds => "the account does not hold the amount",
            Self::CardExpired => "the card has expired",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction() -> TransactionId {
        "txn_1".parse().unwrap()
    }

    #[test]
    fn no_event_leads_a_payment_back() {
        let states = [
            State::Pending,
            State::Captured(transaction()),
            State::Declined(DeclineReason::CardExpired),
            State::RefundPending(transaction()),
            State::Refunded(transaction()),
        ];
        let events = [
            Event::Captured(transaction()),
            Event::Declined(DeclineReason::CardExpired),
            Event::RefundAsked,
            Event::Refunded,
        ];
        let mut ways = Vec::new();
        for (from, state) in states.iter().enumerate() {
            for event in &events {
                let next = state.after(event.clone()).ok().and_then(|next| states.iter().position(|s| *s == next));
                ways.extend(next.map(|to| (from, to)));
            }
        }
        assert_eq!(ways, [(0, 1), (0, 2), (1, 3), (3, 4)]);
    }
}
