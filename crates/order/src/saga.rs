//! What the shop sets out to do once it has accepted an order, and who does it.

use std::time::Duration;

use telemetry::MessageContext;
use uuid::Uuid;

use crate::idempotency::Fingerprint;
use crate::order::{Order, OrderId, PaymentToken};

/// What is known under an idempotency key.
pub(crate) struct Attempt {
    /// Of the request that the key came with first.
    pub(crate) fingerprint: Fingerprint,
    pub(crate) progress: Progress,
}

/// How far an attempt has come.
pub(crate) enum Progress {
    /// Answered for good: the order as its caller was told of it.
    Answered(Order),
    /// The order is accepted; its payment has not ended yet.
    Open(OrderId),
}

/// An order that its holder works on, and nobody else until the lease ends. Has no `Debug`: it may hold a payment token.
pub(crate) struct Held {
    pub(crate) order: Order,
    /// Of this taking. What the holder writes once somebody else has taken the order is refused.
    pub(crate) fence: i64,
    /// How often the next step was tried in vain.
    pub(crate) attempts: u32,
    /// The idempotency key for the charge, and for the refund, of which the payment service keeps the keys apart: the same at
    /// every try, so that the money moves once.
    pub(crate) payment_key: String,
    /// Erased once the payment has ended.
    pub(crate) token: Option<PaymentToken>,
    /// The trace in which the order was placed.
    pub(crate) origin: MessageContext,
}

/// The shortest and the longest pause before a step is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

// === impl Held ===

impl Held {
    /// The intent to charge for `order`, under a payment key of its own.
    pub(crate) fn intended(order: Order, token: PaymentToken) -> Self {
        Self {
            order,
            fence: 1,
            attempts: 0,
            payment_key: Uuid::new_v4().to_string(),
            token: Some(token),
            origin: MessageContext::default(),
        }
    }

    /// How long to wait before the next step is tried again: longer each time, and not as long as others that failed with
    /// it.
    pub(crate) fn pause(&self) -> Duration {
        let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(self.attempts.min(16)));
        longest.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Money;

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut held =
            Held::intended(Order::accept(Vec::new(), Money::ZERO), PaymentToken::parse("tok".into()).unwrap());
        let mut longest = |attempts| {
            held.attempts = attempts;
            (0..100).map(|_| held.pause()).max().unwrap()
        };
        assert!(longest(0) <= FIRST_PAUSE && longest(3) > FIRST_PAUSE);
        assert!((LONGEST_PAUSE / 2..=LONGEST_PAUSE).contains(&longest(u32::MAX)));
    }
}
