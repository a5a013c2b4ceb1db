//! The ledger: payments, the steps they take, and the keys under which callers asked for them.

mod row;

use database::{Database, OpenError, Schema, ScopedFutureExt, Transaction, Url};
use sqlx::{Any, Executor, Row};
use telemetry::Telemetry;

use crate::error::Failure;
use crate::idempotency::Ticket;
use crate::payment::{BankKey, Event, OutOfTurn, Payment, PaymentId, Timestamp, TransactionId};

/// A handle to the ledger; cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

/// What came of claiming a key.
pub(crate) enum Claim {
    /// The intent is committed, by this call or by one that did not finish; the bank is to be asked.
    Open(Intent),
    /// The key is answered: the payment as its caller was told.
    Answered(Payment),
}

/// A movement of money that is to be asked for.
#[derive(Clone)]
pub(crate) struct Intent {
    pub(crate) payment: Payment,
    /// The bank's key of this movement, the same however often it is asked for.
    pub(crate) bank_key: BankKey,
}

// === impl Store ===

impl Store {
    /// Opens the ledger at `url`, and brings it up to date.
    pub(crate) async fn open(url: &Url, telemetry: &Telemetry) -> Result<Self, OpenError> {
        let schema =
            Schema { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: sqlx::migrate!("migrations/postgres") };
        Ok(Self { database: Database::open(url, schema, "payment", telemetry).await? })
    }

    /// Waits for what is being written and lets go of the ledger.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// Whether the ledger can be read.
    pub(crate) async fn check(&self) -> Result<(), sqlx::Error> {
        let statement = sqlx::query("SELECT 1 FROM payments LIMIT 1");
        statement.fetch_optional(self.database.reader()).await.map(drop)
    }

    /// The payment as it is now.
    pub(crate) async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, sqlx::Error> {
        find(self.database.reader(), id).await
    }

    /// The final answer that the caller of `ticket` was given, if there is one.
    ///
    /// # Errors
    /// [`Failure::KeyReused`] when its key is known by another body.
    pub(crate) async fn answer(&self, ticket: &Ticket) -> Result<Option<Payment>, Failure> {
        match recall(self.database.reader(), ticket).await? {
            Some(Claim::Answered(payment)) => Ok(Some(payment)),
            Some(Claim::Open(_)) | None => Ok(None),
        }
    }

    /// Claims the key of `ticket` for `intent` and commits that, unless the key is known: then its own intent stands.
    ///
    /// # Errors
    /// [`Failure::KeyReused`] when the key is known by another body.
    pub(crate) async fn claim_charge(&self, ticket: &Ticket, intent: Intent) -> Result<Claim, Failure> {
        let intent = &intent;
        self.database
            .write(|transaction| {
                async move {
                    let payment = &intent.payment;
                    if !claim(transaction, ticket, payment.id, payment.created_at).await? {
                        return known(transaction, ticket).await;
                    }
                    insert(transaction, payment).await?;
                    start(transaction, ticket, intent).await?;
                    Ok(Claim::Open(intent.clone()))
                }
                .scope_boxed()
            })
            .await
    }

    /// Claims the key of `ticket` for the refund of `id` and commits that, unless the key is known: then its own intent
    /// stands.
    ///
    /// # Errors
    /// [`Failure::KeyReused`] when the key is known by another body; [`Failure::UnknownPayment`] and
    /// [`Failure::NotCaptured`], which leave the key free.
    pub(crate) async fn claim_refund(
        &self,
        ticket: &Ticket,
        id: PaymentId,
        bank_key: BankKey,
        now: Timestamp,
    ) -> Result<Claim, Failure> {
        self.database
            .write(|transaction| {
                async move {
                    if !claim(transaction, ticket, id, now).await? {
                        return known(transaction, ticket).await;
                    }
                    let captured = find(transaction.executor(), id).await?.ok_or(Failure::UnknownPayment(id))?;
                    let asked =
                        captured.after(Event::RefundAsked, now).map_err(|OutOfTurn| Failure::NotCaptured(id))?;
                    advance(transaction, &captured, &asked).await?;
                    let intent = Intent { payment: asked, bank_key };
                    start(transaction, ticket, &intent).await?;
                    Ok(Claim::Open(intent))
                }
                .scope_boxed()
            })
            .await
    }

    /// Keeps what became of a payment, ends the step of `ticket` and stores its answer, all or nothing.
    pub(crate) async fn settle(&self, ticket: &Ticket, before: &Payment, after: &Payment) -> Result<(), sqlx::Error> {
        self.database
            .write(|transaction| {
                async move {
                    advance(transaction, before, after).await?;
                    end_step(transaction, ticket, after).await?;
                    keep_answer(transaction, ticket, after).await
                }
                .scope_boxed()
            })
            .await
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

/// What stands under a key that could not be claimed.
async fn known(transaction: &mut Transaction, ticket: &Ticket) -> Result<Claim, Failure> {
    Ok(recall(transaction.executor(), ticket).await?.ok_or(sqlx::Error::RowNotFound)?)
}

async fn insert(transaction: &mut Transaction, payment: &Payment) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO payments (id, order_id, amount_minor, currency, state, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(payment.id.to_string())
    .bind(payment.order_id.to_string())
    .bind(payment.amount.minor_units.get())
    .bind(payment.amount.currency.as_str())
    .bind(row::name(&payment.state))
    .bind(payment.created_at.micros)
    .bind(payment.updated_at.micros)
    .execute(transaction.executor())
    .await
    .map(drop)
}

/// Writes down what the bank is about to be asked.
async fn start(transaction: &mut Transaction, ticket: &Ticket, intent: &Intent) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO payment_steps (payment_id, step, bank_key, state, started_at) VALUES ($1, $2, $3, 'started', $4)",
    )
    .bind(intent.payment.id.to_string())
    .bind(ticket.method.name())
    .bind(intent.bank_key.to_string())
    .bind(intent.payment.updated_at.micros)
    .execute(transaction.executor())
    .await
    .map(drop)
}

/// Moves a payment on from exactly the state it was in, so that no state goes backwards whoever writes.
async fn advance(transaction: &mut Transaction, before: &Payment, after: &Payment) -> Result<(), sqlx::Error> {
    let moved = sqlx::query(
        "UPDATE payments SET state = $1, transaction_id = $2, decline_reason = $3, updated_at = $4 WHERE id = $5 AND state = $6",
    )
    .bind(row::name(&after.state))
    .bind(after.state.transaction_id().map(TransactionId::as_str))
    .bind(row::decline_reason(&after.state))
    .bind(after.updated_at.micros)
    .bind(after.id.to_string())
    .bind(row::name(&before.state))
    .execute(transaction.executor())
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

async fn end_step(transaction: &mut Transaction, ticket: &Ticket, after: &Payment) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE payment_steps SET state = $1, finished_at = $2 WHERE payment_id = $3 AND step = $4")
        .bind(row::step_outcome(&after.state))
        .bind(after.updated_at.micros)
        .bind(after.id.to_string())
        .bind(ticket.method.name())
        .execute(transaction.executor())
        .await
        .map(drop)
}

async fn keep_answer(transaction: &mut Transaction, ticket: &Ticket, after: &Payment) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE idempotency_keys SET answered_state = $1, answered_at = $2 WHERE method = $3 AND key = $4")
        .bind(row::name(&after.state))
        .bind(after.updated_at.micros)
        .bind(ticket.method.name())
        .bind(ticket.key.as_str())
        .execute(transaction.executor())
        .await
        .map(drop)
}

async fn find<'c>(executor: impl Executor<'c, Database = Any>, id: PaymentId) -> Result<Option<Payment>, sqlx::Error> {
    let statement = sqlx::query(
        "SELECT id, order_id, amount_minor, currency, state, transaction_id, decline_reason, created_at, updated_at \
         FROM payments WHERE id = $1",
    );
    let found = statement.bind(id.to_string()).fetch_optional(executor).await?;
    found.map(|found| row::payment(&found)).transpose()
}

/// What is known under the key of `ticket`.
async fn recall<'c>(executor: impl Executor<'c, Database = Any>, ticket: &Ticket) -> Result<Option<Claim>, Failure> {
    let known = sqlx::query(
        "SELECT k.fingerprint, k.answered_state, k.answered_at, s.bank_key, p.id, p.order_id, p.amount_minor, p.currency, \
         p.state, p.transaction_id, p.decline_reason, p.created_at, p.updated_at \
         FROM idempotency_keys k JOIN payments p ON p.id = k.payment_id \
         JOIN payment_steps s ON s.payment_id = k.payment_id AND s.step = k.method \
         WHERE k.method = $1 AND k.key = $2",
    )
    .bind(ticket.method.name())
    .bind(ticket.key.as_str())
    .fetch_optional(executor)
    .await?;
    let Some(known) = known else { return Ok(None) };
    if known.try_get::<&[u8], _>("fingerprint")? != ticket.fingerprint.0 {
        return Err(Failure::KeyReused);
    }
    Ok(Some(row::claim(&known)?))
}
