//! How far an order has come, and which way it goes on.

use std::fmt;

/// How far an order has come. It never goes backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Whether the money moved is not known yet.
    PaymentPending,
    /// The money moved. Final, unless the order is cancelled.
    Paid,
    /// The bank refused. Final.
    Declined(DeclineReason),
    /// It is to be cancelled. Either the money moved and has to come back, or whether it moved is not known yet.
    CancelPending { is_paid: bool },
    /// It was cancelled, and no money is kept. Final.
    Cancelled,
}

/// Why the bank refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclineReason {
    CardDeclined,
    InsufficientFunds,
    CardExpired,
}

/// What moves an order to its next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The bank moved the money.
    Paid,
    /// The bank refused to.
    Declined(DeclineReason),
    /// Somebody wants the order cancelled.
    CancelAsked,
    /// The bank moved the money back.
    MoneyBack,
}

/// What is to be done next for an order, by asking the payment service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Charge,
    Refund,
}

/// An event that an order's state leaves no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the order's state does not allow this")]
pub(crate) struct OutOfTurn;

// === impl State ===

impl State {
    /// Every way an order can go; none leads back.
    pub(crate) fn after(self, event: Event) -> Result<Self, OutOfTurn> {
        match (self, event) {
            (Self::PaymentPending, Event::Paid) => Ok(Self::Paid),
            (Self::PaymentPending | Self::CancelPending { is_paid: false }, Event::Declined(reason)) => {
                Ok(Self::Declined(reason))
            }
            (Self::PaymentPending, Event::CancelAsked) => Ok(Self::CancelPending { is_paid: false }),
            (Self::Paid, Event::CancelAsked) | (Self::CancelPending { is_paid: false }, Event::Paid) => {
                Ok(Self::CancelPending { is_paid: true })
            }
            (Self::CancelPending { is_paid: true }, Event::MoneyBack) => Ok(Self::Cancelled),
            _ => Err(OutOfTurn),
        }
    }

    /// What is to be done; nothing for an order that has come to rest.
    pub(crate) fn next_step(self) -> Option<Step> {
        match self {
            Self::PaymentPending | Self::CancelPending { is_paid: false } => Some(Step::Charge),
            Self::CancelPending { is_paid: true } => Some(Step::Refund),
            Self::Paid | Self::Declined(_) | Self::Cancelled => None,
        }
    }
}

// === impl DeclineReason ===

impl DeclineReason {
    /// The name callers see, in errors and on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::CardDeclined => "CARD_DECLINED",
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::CardExpired => "CARD_EXPIRED",
        }
    }

    /// The reason of that name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::CardDeclined, Self::InsufficientFunds, Self::CardExpired].into_iter().find(|it| it.as_str() == name)
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

    const DECLINED: DeclineReason = DeclineReason::CardExpired;

    #[test]
    fn no_event_leads_an_order_back() {
        let states = [
            State::PaymentPending,
            State::CancelPending { is_paid: false },
            State::Paid,
            State::CancelPending { is_paid: true },
            State::Declined(DECLINED),
            State::Cancelled,
        ];
        let events = [Event::Paid, Event::Declined(DECLINED), Event::CancelAsked, Event::MoneyBack];
        let mut ways = Vec::new();
        for (from, state) in states.into_iter().enumerate() {
            for event in events {
                let next = state.after(event).ok().and_then(|next| states.iter().position(|it| *it == next));
                ways.extend(next.map(|to| (from, to)));
            }
        }
        assert_eq!(ways, [(0, 2), (0, 4), (0, 1), (1, 3), (1, 4), (2, 3), (3, 5)]);
    }

    #[test]
    fn work_is_left_exactly_where_an_answer_of_the_bank_can_lead_on() {
        for (state, step) in [
            (State::PaymentPending, Some(Step::Charge)),
            (State::CancelPending { is_paid: false }, Some(Step::Charge)),
            (State::CancelPending { is_paid: true }, Some(Step::Refund)),
            (State::Paid, None),
            (State::Declined(DECLINED), None),
            (State::Cancelled, None),
        ] {
            assert_eq!(state.next_step(), step);
            assert_eq!(state.after(Event::Paid).is_ok(), step == Some(Step::Charge));
            assert_eq!(state.after(Event::MoneyBack).is_ok(), step == Some(Step::Refund));
        }
    }
}
