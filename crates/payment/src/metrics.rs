//! What the service measures of its own business; `lib` says what the metric means.

use telemetry::{Counter, Metric, Telemetry};

use crate::bank::Unsettled;
use crate::payment::State;

const PAYMENTS: Metric = Metric {
    name: "shop.payments",
    unit: "{payment}",
    description: "Charges and refunds that the bank was asked for, by what came of it.",
};

/// The payment service's own metrics; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    payments: Counter,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        Self { payments: telemetry.counter(PAYMENTS) }
    }

    /// Counts a payment that the bank has moved on, to `state`.
    pub(crate) fn settled(&self, state: &State) {
        match state {
            State::Captured(_) => self.count("charge", "CAPTURED"),
            State::Declined(_) => self.count("charge", "DECLINED"),
            State::Refunded(_) => self.count("refund", "REFUNDED"),
            State::Pending | State::RefundPending(_) => {}
        }
    }

    /// Counts a payment that is left in `state`, because the bank did not say what became of it.
    pub(crate) fn unsettled(&self, state: &State, cause: &Unsettled) {
        let operation = match state {
            State::Pending | State::Captured(_) | State::Declined(_) => "charge",
            State::RefundPending(_) | State::Refunded(_) => "refund",
        };
        match cause {
            Unsettled::Unavailable(_) => self.count(operation, "UNAVAILABLE"),
            Unsettled::Unknown(_) => self.count(operation, "UNKNOWN"),
        }
    }

    fn count(&self, operation: &'static str, outcome: &'static str) {
        self.payments.add(1, &[("payment.operation", operation), ("payment.outcome", outcome)]);
    }
}
