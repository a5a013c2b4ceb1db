//! Events on their way to whoever is told of them.

use std::time::Duration;

use telemetry::MessageContext;

use crate::order::{Email, Money, OrderId, State, Timestamp};

/// How often an event may be refused before it is parked.
pub(crate) const MOST_REFUSALS: u32 = 5;

/// The pause after the first refusal; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// An event that its holder sends, and nobody else until the lease ends. Has no `Debug`: it holds an e-mail address.
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) order: OrderId,
    /// 1, 2, 3 within an order.
    pub(crate) sequence: i64,
    pub(crate) state: State,
    pub(crate) email: Email,
    pub(crate) total: Money,
    pub(crate) at: Timestamp,
    /// The trace in which it happened.
    pub(crate) context: MessageContext,
    /// How often it was refused.
    pub(crate) refusals: u32,
}

/// An event that nobody takes.
pub(crate) struct Parked {
    pub(crate) id: String,
    pub(crate) order: OrderId,
    pub(crate) sequence: i64,
    pub(crate) state: State,
    pub(crate) since: Timestamp,
}

/// What is done with an event that was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    SentAgainAfter(Duration),
    Parked,
}

// === impl Outgoing ===

impl Outgoing {
    /// What is to be done with it after one more refusal.
    pub(crate) fn fate(&self) -> Fate {
        match self.refusals + 1 {
            MOST_REFUSALS.. => Fate::Parked,
            refusals => Fate::SentAgainAfter(FIRST_PAUSE * 2_u32.pow(refusals - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_event_is_sent_again_later_and_later_and_then_parked() {
        let mut event = Outgoing {
            id: String::new(),
            order: "0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0aa".parse().unwrap(),
            sequence: 1,
            state: State::Paid,
            email: Email::parse("ada@example.com").unwrap(),
            total: Money::ZERO,
            at: Timestamp::now(),
            context: MessageContext::default(),
            refusals: 0,
        };
        let fates = (0..=MOST_REFUSALS).map(|refusals| {
            event.refusals = refusals;
            event.fate()
        });
        let pauses = [200, 400, 800, 1600].map(|millis| Fate::SentAgainAfter(Duration::from_millis(millis)));
        let expected = pauses.into_iter().chain([Fate::Parked, Fate::Parked]);
        assert!(fates.eq(expected));
    }
}
