//! A movement of money that the bank is to be asked for, and who asks.

use std::time::Duration;

use telemetry::MessageContext;

use crate::idempotency::Method;
use crate::payment::{BankKey, Payment};

/// A step that its holder works on, and nobody else until the lease ends.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) payment: Payment,
    pub(crate) step: Method,
    /// The bank's key of this movement, the same however often it is asked for.
    pub(crate) bank_key: BankKey,
    /// Of this taking. What the holder writes once somebody else has taken the step is refused.
    pub(crate) fence: i64,
    /// How often it was tried in vain.
    pub(crate) attempts: u32,
    /// The trace in which it was asked for.
    pub(crate) origin: MessageContext,
}

/// The shortest and the longest pause before the bank is asked again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

// === impl Held ===

impl Held {
    /// The intent to move money for `payment`, under a bank's key of its own.
    pub(crate) fn intended(payment: Payment, step: Method, origin: MessageContext) -> Self {
        Self { payment, step, bank_key: BankKey::new(), fence: 1, attempts: 0, origin }
    }

    /// How long to wait before the bank is asked again: longer each time, and not as long as for others that failed with it.
    pub(crate) fn pause(&self) -> Duration {
        let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(self.attempts.min(16)));
        longest.mul_f64(rand::random_range(0.5..=1.0))
    }
}
