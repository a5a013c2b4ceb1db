//! The use cases. Each change is an intent committed before the bank is asked, and from there on sees itself through,
//! whether or not its caller still waits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use telemetry::set_attribute;
use tracing::{info, instrument, warn};

use crate::bank::{Bank, Unsettled};
use crate::error::Failure;
use crate::idempotency::{Keyed, Running, Ticket};
use crate::metrics::Metrics;
use crate::payment::{BankKey, Charge, Event, OutOfTurn, Payment, PaymentId, Refund, State, Timestamp};
use crate::store::{Claim, Intent, Store};

/// Charges, refunds and finds payments.
#[derive(Clone)]
pub(crate) struct Payments {
    pub(crate) store: Store,
    pub(crate) bank: Bank,
    pub(crate) running: Running,
    /// How long a change may take once nobody waits for it.
    pub(crate) limit: Duration,
    pub(crate) metrics: Metrics,
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
        let turn = self.running.enter(&ticket)?;

        let this = self.clone();
        self.see_through(async move {
            let _turn = turn;
            let payment = Payment::intended(PaymentId::new(), &charge, now());
            let intent = Intent { payment, bank_key: BankKey::new() };
            match this.store.claim_charge(&ticket, intent).await? {
                Claim::Answered(payment) => Answer::replay(payment),
                Claim::Open(intent) => {
                    describe(&intent.payment);
                    let verdict = this.bank.charge(&charge, intent.bank_key).await;
                    this.settle(&ticket, intent.payment, verdict).await
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
        let turn = self.running.enter(&ticket)?;

        let this = self.clone();
        self.see_through(async move {
            let _turn = turn;
            match this.store.claim_refund(&ticket, refund.payment_id, BankKey::new(), now()).await? {
                Claim::Answered(payment) => Answer::replay(payment),
                Claim::Open(intent) => {
                    describe(&intent.payment);
                    let transaction = intent.payment.state.transaction_id().ok_or(OutOfTurn)?;
                    let verdict = this.bank.refund(transaction, intent.bank_key).await;
                    this.settle(&ticket, intent.payment, verdict).await
                }
            }
        })
        .await
    }

    /// The payment as it is now.
    #[instrument(skip_all, name = "get_payment")]
    pub(crate) async fn get(&self, id: PaymentId) -> Result<Payment, Failure> {
        set_attribute("payment.id", id.to_string());
        self.store.payment(id).await?.ok_or(Failure::UnknownPayment(id))
    }

    /// Keeps what the bank said of `payment`, and answers with it.
    async fn settle(
        &self,
        ticket: &Ticket,
        payment: Payment,
        verdict: Result<Event, Unsettled>,
    ) -> Result<Answer, Failure> {
        if let Err(cause) = &verdict {
            self.metrics.unsettled(&payment.state, cause);
        }
        let event = match verdict {
            Ok(event) => event,
            Err(Unsettled::Unavailable(cause)) => return Err(Failure::BankUnavailable(cause)),
            Err(Unsettled::Unknown(cause)) => {
                // Money may have moved, so this is no failure; the intent stays open.
                warn!(error = &cause as &dyn std::error::Error, "the bank's answer is unknown");
                return Ok(Answer { payment, replayed: false });
            }
        };
        let settled = payment.after(event, now())?;
        self.store.settle(ticket, &payment, &settled).await?;
        self.metrics.settled(&settled.state);
        report(&settled);
        Answer::of(settled, false)
    }

    /// Runs `work` in a task of its own and waits for it; a caller that goes away stops only the waiting.
    async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let task = telemetry::spawn_detached(self.limit, work);
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

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { micros: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) }
}
