//! The use cases: place an order, find one, list them.

use std::time::Duration;

use proto::Invalid;
use tracing::{info, instrument};

use crate::error::Failure;
use crate::idempotency::{Running, Ticket};
use crate::listing::{Page, PageRequest};
use crate::metrics::Metrics;
use crate::order::{NewOrder, Order, OrderId, State};
use crate::payments::{Outcome, Payments};
use crate::saga::{Attempt, Charge, Progress};
use crate::store::Store;

/// How long an order may take once nobody waits for it.
pub(crate) const SAGA_LIMIT: Duration = Payments::MAX_DEADLINE.saturating_add(database::PATIENCE);

/// Places, finds and lists orders.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) store: Store,
    pub(crate) payments: Payments,
    pub(crate) running: Running,
    pub(crate) metrics: Metrics,
}

/// A request to place an order.
pub(crate) struct Submission {
    pub(crate) ticket: Ticket,
    /// May be malformed here: whether the key is known, and by which body, comes first.
    pub(crate) order: Result<NewOrder, Invalid>,
}

/// An order that was placed, just now or by an earlier call with the same key.
pub(crate) struct Placed {
    pub(crate) order: Order,
    pub(crate) replayed: bool,
}

/// What a submission leads to when it has no answer yet.
enum Work {
    Accept(NewOrder),
    Resume(Charge),
}

// === impl Orders ===

impl Orders {
    /// Places an order, once for each key.
    ///
    /// Answers with an order that is [`State::PaymentPending`] when it is not known whether the money moved; the same
    /// key asks again. A caller that goes away changes nothing: what was begun is seen through without it.
    #[instrument(skip_all, name = "place_order")]
    pub(crate) async fn place(&self, submission: Submission) -> Result<Placed, Failure> {
        let Submission { ticket, order } = submission;
        // Taken before the store is asked, so that nobody else changes what it says.
        let turn = self.running.enter(&ticket);
        let work = match self.store.attempt(&ticket.key).await? {
            Some(attempt) if attempt.fingerprint != ticket.fingerprint => return Err(Failure::KeyReused),
            Some(Attempt { progress: Progress::Answered(order), .. }) => {
                describe(&order);
                return answer(order, true);
            }
            Some(Attempt { progress: Progress::Charging(charge), .. }) => Work::Resume(charge),
            None => Work::Accept(order?),
        };
        let turn = turn?;

        let this = self.clone();
        let saga = async move {
            let _turn = turn;
            let _working = this.metrics.working();
            this.see_through(&ticket, work).await
        };
        telemetry::spawn_detached(SAGA_LIMIT, saga).await.map_err(Failure::Interrupted)?
    }

    /// The order with that id.
    #[instrument(skip_all, name = "get_order")]
    pub(crate) async fn get(&self, id: OrderId) -> Result<Order, Failure> {
        telemetry::set_attribute("order.id", id.to_string());
        self.store.order(id).await?.ok_or(Failure::UnknownOrder(id))
    }

    /// One page of the orders, newest first.
    #[instrument(skip_all, name = "list_orders")]
    pub(crate) async fn list(&self, request: PageRequest) -> Result<Page, Failure> {
        Ok(self.store.page(request).await?)
    }

    async fn see_through(&self, ticket: &Ticket, work: Work) -> Result<Placed, Failure> {
        let charge = match work {
            Work::Accept(new) => self.accept(ticket, new).await?,
            Work::Resume(charge) => charge,
        };
        describe(&charge.order);
        let outcome = self.payments.charge(&charge).await?;
        self.settle(ticket, charge.order, outcome).await
    }

    /// Makes an order of what is wanted and keeps it with the intent to charge for it.
    async fn accept(&self, ticket: &Ticket, new: NewOrder) -> Result<Charge, Failure> {
        info!("order.validated");
        let order = Order::accept(new.lines, new.total);
        let charge = Charge::intended(order, new.token);
        let claimed = self.store.accept(ticket, &charge, &new.email).await?;
        // If not, another process on the same store was faster: in this one the key was free.
        if claimed { Ok(charge) } else { Err(Failure::key_in_use()) }
    }

    /// Keeps how the payment went, and answers.
    async fn settle(&self, ticket: &Ticket, order: Order, outcome: Outcome) -> Result<Placed, Failure> {
        let order = order.with_payment(outcome.payment());
        let state = match outcome {
            Outcome::Paid(_) => State::Paid,
            Outcome::Declined(_, reason) => State::Declined(reason),
            Outcome::Unknown(None) => return answer(order, false),
            Outcome::Unknown(Some(_)) => {
                self.store.note_payment(&order).await?;
                return answer(order, false);
            }
        };
        let order = order.settled(state);
        self.store.settle(ticket, &order).await?;
        self.metrics.settled(&order);
        answer(order, false)
    }
}

/// Names the order on the current span.
fn describe(order: &Order) {
    telemetry::set_attribute("order.id", order.id.to_string());
    telemetry::set_attribute("order.item_count", order.lines.len() as i64);
    telemetry::set_attribute("order.total_minor", order.total.minor_units());
    telemetry::set_attribute("order.currency", order.total.currency().as_str().to_owned());
}

/// What a caller is told of an order that has come this far.
fn answer(order: Order, replayed: bool) -> Result<Placed, Failure> {
    match order.state {
        State::PaymentPending | State::Paid => Ok(Placed { order, replayed }),
        State::Declined(reason) => Err(Failure::Declined { order: order.id, reason, replayed }),
    }
}
