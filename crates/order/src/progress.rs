//! Seeing orders through: one step after the other, by whoever holds the order.

use std::time::Duration;

use tracing::warn;

use crate::error::Failure;
use crate::order::{Event, Order, PaymentId, Step};
use crate::orders::Orders;
use crate::payments::{Outcome, Payments};
use crate::saga::Held;
use crate::store::Moved;

/// How long one step may take.
pub(crate) const STEP_LIMIT: Duration = Payments::MAX_DEADLINE.saturating_add(database::PATIENCE);

/// How long an order may take once nobody waits for it: a charge, and a refund if it is cancelled meanwhile.
pub(crate) const SAGA_LIMIT: Duration = STEP_LIMIT.saturating_mul(2);

/// How a step has ended, as far as anybody knows.
enum Ended {
    So(Event, Option<PaymentId>),
    /// Only asking again with the same key can tell.
    Unknown(Option<PaymentId>),
}

// === impl Orders ===

impl Orders {
    /// Does what is left to do for the order, until it has come to rest or a step has no answer.
    ///
    /// # Errors
    /// When a step has to be asked for again before anybody can say how it ends.
    pub(crate) async fn see_through(&self, mut held: Held) -> Result<Order, Failure> {
        while let Some(step) = held.order.state.next_step() {
            let before = held.order.state;
            held = self.step(step, held).await?;
            if held.order.state == before {
                break;
            }
        }
        Ok(held.order)
    }

    /// Does one step, and keeps how it has ended. If nobody knows, the order is as it was, and taken up again later.
    ///
    /// # Errors
    /// When it has to be asked for again before anybody can say how it ends: that too happens later.
    pub(crate) async fn step(&self, step: Step, held: Held) -> Result<Held, Failure> {
        let asked = match step {
            Step::Charge => self.payments.charge(&held).await.map(Ended::charged),
            Step::Refund => self.payments.refund(&held).await.map(Ended::refunded),
        };
        match asked {
            Ok(Ended::So(event, payment)) => self.end(held, event, payment).await,
            Ok(Ended::Unknown(payment)) => {
                self.leave(&held, payment).await;
                let order = held.order.with_payment(payment);
                Ok(Held { order, ..held })
            }
            Err(failure) => {
                self.leave(&held, None).await;
                Err(failure)
            }
        }
    }

    async fn end(&self, held: Held, event: Event, payment: Option<PaymentId>) -> Result<Held, Failure> {
        let of = &held;
        match self.telling(|new| async move { self.store.advance(of, event, payment, &new).await }).await? {
            Moved::On(order) => {
                self.metrics.moved(&order);
                // The token is erased.
                Ok(Held { order, token: None, attempts: 0, ..held })
            }
            Moved::Meanwhile => Err(Failure::key_in_use()),
        }
    }

    async fn leave(&self, held: &Held, payment: Option<PaymentId>) {
        if let Err(error) = self.store.leave(held, payment).await {
            // Then it is free once the lease has ended.
            warn!(error = &error as &dyn std::error::Error, "the order is not given back");
        }
    }
}

// === impl Ended ===

impl Ended {
    fn charged(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Paid(payment) => Self::So(Event::Paid, Some(payment)),
            Outcome::Declined(payment, reason) => Self::So(Event::Declined(reason), payment),
            Outcome::Unknown(payment) => Self::Unknown(payment),
        }
    }

    fn refunded(is_back: bool) -> Self {
        if is_back { Self::So(Event::MoneyBack, None) } else { Self::Unknown(None) }
    }
}
