//! Who asked for what: one key, one step.

use database::{ScopedFutureExt, Transaction};
use sqlx::{Any, Executor, Row};

use super::{Store, changes, find, row};
use crate::error::Failure;
use crate::idempotency::Ticket;
use crate::payment::{Event, OutOfTurn, Payment, PaymentId, Timestamp};
use crate::steps::Held;

/// What came of claiming a key.
pub(crate) enum Claim {
    /// The intent is committed, by this call or by one that did not finish; the caller holds it, and is to ask the bank.
    Open(Held),
    /// Somebody else is at work on it.
    InUse,
    /// The key is answered: the payment as its caller was told.
    Answered(Payment),
}

/// What is known under a key.
enum Known {
    Open(PaymentId),
    Answered(Payment),
}

// === impl Store ===

impl Store {
    /// The final answer that the caller of `ticket` was given, if there is one.
    ///
    /// # Errors
    /// [`Failure::KeyReused`] when its key is known by another body.
    pub(crate) async fn answer(&self, ticket: &Ticket) -> Result<Option<Payment>, Failure> {
        match recall(self.database.reader(), ticket).await? {
            Some(Known::Answered(payment)) => Ok(Some(payment)),
            Some(Known::Open(_)) | None => Ok(None),
        }
    }

    /// Claims the key of `ticket` for the charge `held` and commits that, unless the key is known: then its own intent stands.
    ///
    /// # Errors
    /// [`Failure::KeyReused`] when the key is known by another body.
    pub(crate) async fn claim_charge(&self, ticket: &Ticket, held: Held) -> Result<Claim, Failure> {
        let held = &held;
        self.database
            .write(|transaction| {
                async move {
                    let payment = &held.payment;
                    if !claim(transaction, ticket, payment.id, payment.created_at).await? {
                        return self.take_known(transaction, ticket).await;
                    }
                    changes::insert(transaction, payment).await?;
                    self.start(transaction, held).await?;
                    Ok(Claim::Open(held.clone()))
                }
                .scope_boxed()
            })
            .await
    }

    /// Claims the key of `ticket` for the refund of `id` and commits that, unless the key is known: then its own intent
    /// stands. `intend` makes the intent of the payment that is to be given back.
    ///
    /// # Errors
    /// [`Failure::KeyReused`] when the key is known by another body; [`Failure::UnknownPayment`] and
    /// [`Failure::NotCaptured`], which leave the key free.
    pub(crate) async fn claim_refund(
        &self,
        ticket: &Ticket,
        id: PaymentId,
        now: Timestamp,
        intend: impl Fn(Payment) -> Held + Sync,
    ) -> Result<Claim, Failure> {
        let intend = &intend;
        self.database
            .write(|transaction| {
                async move {
                    if !claim(transaction, ticket, id, now).await? {
                        return self.take_known(transaction, ticket).await;
                    }
                    let captured = find(transaction.executor(), id).await?.ok_or(Failure::UnknownPayment(id))?;
                    let asked =
                        captured.after(Event::RefundAsked, now).map_err(|OutOfTurn| Failure::NotCaptured(id))?;
                    if !changes::advance(transaction, &captured, &asked).await? {
                        return Err(Failure::NotCaptured(id));
                    }
                    let held = intend(asked);
                    self.start(transaction, &held).await?;
                    Ok(Claim::Open(held))
                }
                .scope_boxed()
            })
            .await
    }

    /// What stands under a key that could not be claimed; an open step is taken if it is free.
    async fn take_known(&self, transaction: &mut Transaction, ticket: &Ticket) -> Result<Claim, Failure> {
        match recall(transaction.executor(), ticket).await?.ok_or(sqlx::Error::RowNotFound)? {
            Known::Answered(payment) => Ok(Claim::Answered(payment)),
            Known::Open(id) => {
                let taken = self.take(transaction, &id.to_string(), ticket.method).await?;
                Ok(taken.map_or(Claim::InUse, Claim::Open))
            }
        }
    }

    /// Writes down what the bank is about to be asked, held by the caller.
    async fn start(&self, transaction: &mut Transaction, held: &Held) -> Result<(), sqlx::Error> {
        let carried = |name| held.origin.pairs().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
        let now = held.payment.updated_at;
        sqlx::query(
            "INSERT INTO payment_steps (payment_id, step, bank_key, state, started_at, lease_until, fence, traceparent, \
             tracestate) VALUES ($1, $2, $3, 'started', $4, $5, $6, $7, $8)",
        )
        .bind(held.payment.id.to_string())
        .bind(held.step.name())
        .bind(held.bank_key.to_string())
        .bind(now.micros)
        .bind(now.plus(self.lease).micros)
        .bind(held.fence)
        .bind(carried("traceparent"))
        .bind(carried("tracestate"))
        .execute(transaction.executor())
        .await
        .map(drop)
    }
}

/// Takes the key if it is free, in one statement, so that no two can.
async fn claim(
    transaction: &mut Transaction,
    ticket: &Ticket,
    payment: PaymentId,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let claimed = sqlx::query(
        "INSERT INTO idempotency_keys (method, key, fingerprint, payment_id, created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (method, key) DO NOTHING",
    )
    .bind(ticket.method.name())
    .bind(ticket.key.as_str())
    .bind(&ticket.fingerprint.0[..])
    .bind(payment.to_string())
    .bind(now.micros)
    .execute(transaction.executor())
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// What is known under the key of `ticket`.
async fn recall<'c>(executor: impl Executor<'c, Database = Any>, ticket: &Ticket) -> Result<Option<Known>, Failure> {
    let known = sqlx::query(
        "SELECT k.fingerprint, k.answered_state, k.answered_at, p.id, p.order_id, p.amount_minor, p.currency, \
         p.state, p.transaction_id, p.decline_reason, p.created_at, p.updated_at \
         FROM idempotency_keys k JOIN payments p ON p.id = k.payment_id WHERE k.method = $1 AND k.key = $2",
    )
    .bind(ticket.method.name())
    .bind(ticket.key.as_str())
    .fetch_optional(executor)
    .await?;
    let Some(known) = known else { return Ok(None) };
    if known.try_get::<&[u8], _>("fingerprint")? != ticket.fingerprint.0 {
        return Err(Failure::KeyReused);
    }
    Ok(Some(match row::answered(&known)? {
        Some(payment) => Known::Answered(payment),
        None => Known::Open(row::payment(&known)?.id),
    }))
}
