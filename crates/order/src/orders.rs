//! The use cases: place an order, cancel one, find one, list them.

use proto::Invalid;
use telemetry::Producer;
use tokio_util::task::TaskTracker;
use tracing::{info, instrument, warn};
use uuid::Uuid;

use crate::error::Failure;
use crate::idempotency::Ticket;
use crate::listing::{Page, PageRequest};
use crate::metrics::Metrics;
use crate::order::{Change, EventId, NewOrder, Order, OrderId, State, Step};
use crate::outbox::Parked;
use crate::payments::Payments;
use crate::progress::SAGA_LIMIT;
use crate::relay::Written;
use crate::saga::{Attempt, Held, Progress};
use crate::store::{Moved, Store, events};

/// How many parked events are told of at once.
const MOST_PARKED: i64 = 200;

/// Places, cancels, finds and lists orders.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) store: Store,
    pub(crate) payments: Payments,
    /// What is written down of orders, for whoever is to be told.
    pub(crate) events: Producer,
    /// Told of each that is.
    pub(crate) written: Written,
    /// The work that goes on whether or not its caller waits.
    pub(crate) tasks: TaskTracker,
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

/// An order, and every state it was in, oldest first.
pub(crate) struct Found {
    pub(crate) order: Order,
    pub(crate) history: Vec<Change>,
}

/// What a submission leads to when it has no answer yet.
enum Work {
    Accept(NewOrder),
    Resume(OrderId),
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
        let work = match self.known(&ticket).await? {
            Some(Progress::Answered(order)) => {
                describe(&order);
                return answer(order, true);
            }
            Some(Progress::Open(id)) => Work::Resume(id),
            None => Work::Accept(order?),
        };
        let this = self.clone();
        let saga = async move {
            let _working = this.metrics.working();
            let held = match work {
                Work::Accept(new) => this.accept(&ticket, new).await?,
                Work::Resume(id) => this.store.take(id).await?.ok_or_else(Failure::key_in_use)?,
            };
            describe(&held.order);
            this.pay(held).await
        };
        self.see_to(saga).await
    }

    /// Cancels an order, once.
    ///
    /// Answers with an order that is [`State::CancelPending`] when it is not known whether all money is back, or while
    /// somebody else is at work on it.
    #[instrument(skip_all, name = "cancel_order")]
    pub(crate) async fn cancel(&self, id: OrderId) -> Result<Order, Failure> {
        telemetry::set_attribute("order.id", id.to_string());
        let known = self.store.order(id).await?.ok_or(Failure::UnknownOrder(id))?;
        let this = self.clone();
        self.see_to(async move {
            let order = this.ask_to_cancel(known).await?;
            if let State::Declined(_) = order.state {
                return Err(Failure::NothingToCancel(id));
            }
            let Some(held) = this.store.take(id).await? else { return Ok(order) };
            // What is asked for is kept: that the rest has to wait is no failure.
            this.see_through(held).await.or_else(|error| {
                warn!(error = &error as &dyn std::error::Error, "the order will be cancelled later");
                Ok(order)
            })
        })
        .await
    }

    /// The order with that id.
    #[instrument(skip_all, name = "get_order")]
    pub(crate) async fn get(&self, id: OrderId) -> Result<Found, Failure> {
        telemetry::set_attribute("order.id", id.to_string());
        let order = self.store.order(id).await?.ok_or(Failure::UnknownOrder(id))?;
        Ok(Found { order, history: self.store.history(id).await? })
    }

    /// One page of the orders, newest first.
    #[instrument(skip_all, name = "list_orders")]
    pub(crate) async fn list(&self, request: PageRequest) -> Result<Page, Failure> {
        Ok(self.store.page(request).await?)
    }

    /// The events that are refused for good, the longest parked first.
    #[instrument(skip_all, name = "list_parked_events")]
    pub(crate) async fn parked_events(&self) -> Result<Vec<Parked>, Failure> {
        Ok(self.store.parked(MOST_PARKED).await?)
    }

    /// Lets a parked event be sent again.
    #[instrument(skip_all, name = "requeue_event")]
    pub(crate) async fn requeue_event(&self, id: EventId) -> Result<(), Failure> {
        if !self.store.requeue(&id.to_string()).await? {
            return Err(Failure::UnknownEvent(id));
        }
        self.written.tell();
        Ok(())
    }

    /// Runs `work` in a task of its own and waits for it; a caller that goes away stops only the waiting.
    async fn see_to<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let task = telemetry::spawn_detached(SAGA_LIMIT, self.tasks.track_future(work));
        task.await.unwrap_or_else(|error| Err(Failure::Interrupted(error.into())))
    }

    /// How far the request of `ticket` has come, if it is known.
    async fn known(&self, ticket: &Ticket) -> Result<Option<Progress>, Failure> {
        match self.store.attempt(&ticket.key).await? {
            Some(Attempt { fingerprint, .. }) if fingerprint != ticket.fingerprint => Err(Failure::KeyReused),
            Some(Attempt { progress, .. }) => Ok(Some(progress)),
            None => Ok(None),
        }
    }

    /// Makes an order of what is wanted and keeps it with the intent to charge for it.
    async fn accept(&self, ticket: &Ticket, new: NewOrder) -> Result<Held, Failure> {
        info!("order.validated");
        let held = Held::intended(Order::accept(new.lines, new.total), new.token);
        let (intended, email) = (&held, &new.email);
        if self.telling(|event| async move { self.store.accept(ticket, intended, email, &event).await }).await? {
            return Ok(held);
        }
        // Somebody else was faster.
        self.known(ticket).await?;
        Err(Failure::key_in_use())
    }

    /// Charges for the order, and answers with what has come of that.
    async fn pay(&self, held: Held) -> Result<Placed, Failure> {
        let held = self.step(Step::Charge, held).await?;
        let placed = answer(held.order.clone(), false);
        if held.order.state.next_step() == Some(Step::Refund) {
            // It was to be cancelled while it was being paid.
            if let Err(error) = self.see_through(held).await {
                warn!(error = &error as &dyn std::error::Error, "the order will be cancelled later");
            }
        }
        placed
    }

    /// Keeps that the order is to be cancelled, unless that is known; the order as it is now.
    async fn ask_to_cancel(&self, known: Order) -> Result<Order, Failure> {
        if !matches!(known.state, State::PaymentPending | State::Paid) {
            return Ok(known);
        }
        let known = &known;
        match self.telling(|event| async move { self.store.ask_to_cancel(known, &event).await }).await? {
            Moved::On(order) => Ok(order),
            Moved::Meanwhile => self.store.order(known.id).await?.ok_or(Failure::UnknownOrder(known.id)),
        }
    }

    /// Writes with `write`, as the making of a message about what it writes.
    pub(crate) async fn telling<T, W>(&self, write: impl FnOnce(events::New) -> W) -> Result<T, sqlx::Error>
    where
        W: Future<Output = Result<T, sqlx::Error>>,
    {
        let id = Uuid::now_v7();
        let creating = self.events.create().message_id(&id.to_string());
        let event = events::New { id, context: creating.message_context() };
        let written = creating.run(write(event)).await?;
        self.written.tell();
        Ok(written)
    }
}

/// Names the order on the current span.
pub(crate) fn describe(order: &Order) {
    telemetry::set_attribute("order.id", order.id.to_string());
    telemetry::set_attribute("order.item_count", order.lines.len() as i64);
    telemetry::set_attribute("order.total_minor", order.total.minor_units());
    telemetry::set_attribute("order.currency", order.total.currency().as_str().to_owned());
}

/// What a caller is told of an order that has come this far.
fn answer(order: Order, replayed: bool) -> Result<Placed, Failure> {
    match order.state {
        State::Declined(reason) => Err(Failure::Declined { order: order.id, reason, replayed }),
        State::PaymentPending | State::Paid | State::CancelPending { .. } | State::Cancelled => {
            Ok(Placed { order, replayed })
        }
    }
}
