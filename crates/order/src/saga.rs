//! What the shop sets out to do once it has accepted an order, and how far that has come.

use uuid::Uuid;

use crate::idempotency::Fingerprint;
use crate::order::{Order, PaymentToken};

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
    Charging(Charge),
}

/// The step that charges for an order.
pub(crate) struct Charge {
    pub(crate) order: Order,
    /// The idempotency key for the payment service: the same at every try, so that the money moves once.
    pub(crate) payment_key: String,
    pub(crate) token: PaymentToken,
}

// === impl Charge ===

impl Charge {
    /// The intent to charge for `order`, under a payment key of its own.
    pub(crate) fn intended(order: Order, token: PaymentToken) -> Self {
        Self { order, payment_key: Uuid::new_v4().to_string(), token }
    }
}
