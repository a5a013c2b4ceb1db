//! The use cases. Each change is an intent committed before the bank is asked, and from there on sees itself through,
//! whether or not its caller still waits.

use std::time::Duration;

use telemetry::{Telemetry, set_attribute};
use tokio_util::task::TaskTracker;
use tracing::{info, instrument, warn};

use crate::bank::{Bank, Unsettled};
use crate::error::Failure;
use crate::idempotency::{Keyed, Method};
use crate::metrics::Metrics;
use crate::payment::{Change, Charge, Event, OutOfTurn, Payment, PaymentId, Refund, State, Timestamp};
use crate::steps::Held;
use crate::store::{Claim, Store};

/// Charges, refunds and finds payments.
#[derive(Clone)]
pub(crate) struct Payments {
    pub(crate) store: Store,
    pub(crate) bank: Bank,
    /// The work that goes on whether or not its caller waits.
    pub(crate) tasks: TaskTracker,
    /// How long a change may take once nobody waits for it.
    pub(crate) limit: Duration,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
}

/// A payment, and every state it was in, oldest first.
pub(crate) struct Found {
    pub(crate) payment: Payment,
    pub(crate) history: Vec<Change>,
}

/// What a caller is told of a change.
pub(crate) struct Answer {
    pub(crate) payment: Payment,
    /// Whether this was the answer to an earlier call.
    pub(crate) replayed: bool,
}

// === impl Payments ===

impl Payments {
    /// Charges a card, once for each key.
    ///
    /// Answers with a payment that is [`State::Pending`] when the bank's answer is not known; the same key asks again.
    #[instrument(skip_all, name = "charge")]
    pub(crate) async fn charge(&self, request: Keyed<Charge>) -> Result<Answer, Failure> {
        let Keyed { ticket, content } = request;
        if let Some(payment) = self.store.answer(&ticket).await? {
            return Answer::replay(payment);
        }
        let charge = content?;
        let this = self.clone();
        self.see_through(async move {
            let payment = Payment::intended(PaymentId::new(), &charge, Timestamp::now());
            let held = Held::intended(payment, Method::Charge, this.telemetry.message_context());
            match this.store.claim_charge(&ticket, held).await? {
                Claim::Answered(payment) => Answer::replay(payment),
                Claim::InUse => Err(Failure::KeyInUse),
                Claim::Open(held) => {
                    describe(&held.payment);
                    let verdict = this.bank.charge(&charge, held.bank_key).await;
                    this.settle(held, verdict).await
                }
            }
        })
        .await
    }

    /// Gives the whole amount of a captured payment back, once.
    ///
    /// Answers with a payment that is [`State::RefundPending`] when the bank's answer is not known; the same key asks
    /// again.
    #[instrument(skip_all, name = "refund")]
    pub(crate) async fn refund(&self, request: Keyed<Refund>) -> Result<Answer, Failure> {
        let Keyed { ticket, content } = request;
        if let Some(payment) = self.store.answer(&ticket).await? {
            return Answer::replay(payment);
        }
        let refund = content?;
        let this = self.clone();
        self.see_through(async move {
            let origin = this.telemetry.message_context();
            let intend = |payment| Held::intended(payment, Method::Refund, origin.clone());
            match this.store.claim_refund(&ticket, refund.payment_id, Timestamp::now(), intend).await? {
                Claim::Answered(payment) => Answer::replay(payment),
                Claim::InUse => Err(Failure::KeyInUse),
                Claim::Open(held) => {
                    describe(&held.payment);
                    let verdict = this.ask_for_refund(&held).await?;
                    this.settle(held, verdict).await
                }
            }
        })
        .await
    }

    /// The payment as it is now.
    #[instrument(skip_all, name = "get_payment")]
    pub(crate) async fn get(&self, id: PaymentId) -> Result<Found, Failure> {
        set_attribute("payment.id", id.to_string());
        let payment = self.store.payment(id).await?.ok_or(Failure::UnknownPayment(id))?;
        Ok(Found { payment, history: self.store.history(id).await? })
    }

    /// Finds out what became of a step that was left, and keeps it. A charge is only asked after, because its token is not
    /// kept; if the bank does not know of it, whoever asked for it has to ask again.
    ///
    /// # Errors
    /// When the bank does not say: then the step is taken up again later.
    pub(crate) async fn recover(&self, held: Held) -> Result<(), Failure> {
        describe(&held.payment);
        let verdict = match held.step {
            Method::Charge => match self.bank.find(held.bank_key).await {
                Ok(Some(event)) => Ok(event),
                Ok(None) => return self.leave(&held).await,
                Err(unsettled) => Err(unsettled),
            },
            Method::Refund => self.ask_for_refund(&held).await?,
        };
        self.settle(held, verdict).await.map(drop)
    }

    async fn ask_for_refund(&self, held: &Held) -> Result<Result<Event, Unsettled>, Failure> {
        let transaction = held.payment.state.transaction_id().ok_or(OutOfTurn)?;
        Ok(self.bank.refund(transaction, held.bank_key).await)
    }

    /// Keeps what the bank said of the step, and answers with its payment.
    async fn settle(&self, held: Held, verdict: Result<Event, Unsettled>) -> Result<Answer, Failure> {
        if let Err(cause) = &verdict {
            self.metrics.unsettled(&held.payment.state, cause);
            self.leave(&held).await?;
        }
        let event = match verdict {
            Ok(event) => event,
            Err(Unsettled::Unavailable(cause)) => return Err(Failure::BankUnavailable(cause)),
            Err(Unsettled::Unknown(cause)) => {
                // Money may have moved, so this is no failure; the intent stays open.
                warn!(error = &cause as &dyn std::error::Error, "the bank's answer is unknown");
                return Ok(Answer { payment: held.payment, replayed: false });
            }
        };
        let settled = held.payment.after(event, Timestamp::now())?;
        if !self.store.settle(&held, &settled).await? {
            // Somebody else has taken the step, and will know.
            return Err(Failure::KeyInUse);
        }
        self.metrics.settled(&settled.state);
        report(&settled);
        Answer::of(settled, false)
    }

    /// Gives the step back undone.
    async fn leave(&self, held: &Held) -> Result<(), Failure> {
        Ok(self.store.leave(held).await?)
    }

    /// Runs `work` in a task of its own and waits for it; a caller that goes away stops only the waiting.
    async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let task = telemetry::spawn_detached(self.limit, self.tasks.track_future(work));
        task.await.unwrap_or_else(|error| Err(Failure::Interrupted(error.into())))
    }
}

// === impl Answer ===

impl Answer {
    fn replay(payment: Payment) -> Result<Self, Failure> {
        describe(&payment);
        Self::of(payment, true)
    }

    /// A payment that was declined is answered as a failure.
    fn of(payment: Payment, replayed: bool) -> Result<Self, Failure> {
        match payment.state {
            State::Declined(reason) => Err(Failure::Declined { payment_id: payment.id, reason, replayed }),
            _ => Ok(Self { payment, replayed }),
        }
    }
}

/// Says which payment the current span is about.
fn describe(payment: &Payment) {
    set_attribute("payment.id", payment.id.to_string());
    set_attribute("payment.method", "card");
    set_attribute("order.id", payment.order_id.to_string());
    if let Some(id) = payment.state.transaction_id() {
        set_attribute("payment.transaction_id", id.as_str().to_owned());
    }
}

/// Says how the payment came out.
fn report(payment: &Payment) {
    describe(payment);
    match &payment.state {
        State::Captured(_) => info!("payment.authorised"),
        State::Declined(reason) => info!(reason = reason.code(), "payment.declined"),
        State::Refunded(_) => info!("payment.refunded"),
        State::Pending | State::RefundPending(_) => {}
    }
}
