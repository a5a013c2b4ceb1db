//! Who works on a step that is open.
//!
//! Whoever takes a step has it until the lease ends, and a number that counts the takings. A holder that comes too late, after
//! a pause or a crash, finds another number in the ledger, and what it writes is refused.

use database::{ScopedFutureExt, Transaction};
use sqlx::Row;
use telemetry::{DatabaseSystem, MessageContext};

use super::{Store, row};
use crate::idempotency::Method;
use crate::payment::Timestamp;
use crate::steps::Held;

// === impl Store ===

impl Store {
    /// Takes the steps that have been due for longest, `most` at most, that nobody else has.
    pub(crate) async fn take_due(&self, most: i64) -> Result<Vec<Held>, sqlx::Error> {
        let due = match self.database.system() {
            DatabaseSystem::Sqlite => {
                "SELECT payment_id, step FROM payment_steps WHERE state = 'started' AND due_at <= $1 \
                 AND lease_until <= $1 ORDER BY due_at LIMIT $2"
            }
            // Two that look at the same time find different steps.
            _ => {
                "SELECT payment_id, step FROM payment_steps WHERE state = 'started' AND due_at <= $1 \
                 AND lease_until <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED"
            }
        };
        self.database
            .write(|transaction| {
                async move {
                    let due = sqlx::query_as::<_, (String, String)>(due).bind(Timestamp::now().micros).bind(most);
                    let due = due.fetch_all(transaction.executor()).await?;
                    let mut taken = Vec::with_capacity(due.len());
                    for (id, step) in due {
                        taken.extend(self.take(transaction, &id, row::step(&step)?).await?);
                    }
                    Ok(taken)
                }
                .scope_boxed()
            })
            .await
    }

    /// Gives a step back undone, to be taken up again after a pause.
    pub(crate) async fn leave(&self, held: &Held) -> Result<(), sqlx::Error> {
        let due = Timestamp::now().plus(held.pause());
        self.database
            .write(|transaction| {
                async move {
                    sqlx::query(
                        "UPDATE payment_steps SET lease_until = 0, due_at = $1, attempts = attempts + 1 \
                         WHERE payment_id = $2 AND step = $3 AND fence = $4",
                    )
                    .bind(due.micros)
                    .bind(held.payment.id.to_string())
                    .bind(held.step.name())
                    .bind(held.fence)
                    .execute(transaction.executor())
                    .await
                    .map(drop)
                }
                .scope_boxed()
            })
            .await
    }

    /// Takes the step for the caller; `None` when it has ended or somebody else has it.
    pub(super) async fn take(
        &self,
        transaction: &mut Transaction,
        id: &str,
        step: Method,
    ) -> Result<Option<Held>, sqlx::Error> {
        let now = Timestamp::now();
        let taken = sqlx::query(
            "UPDATE payment_steps SET fence = fence + 1, lease_until = $1 \
             WHERE payment_id = $2 AND step = $3 AND state = 'started' AND lease_until <= $4",
        )
        .bind(now.plus(self.lease).micros)
        .bind(id)
        .bind(step.name())
        .bind(now.micros)
        .execute(transaction.executor())
        .await?;
        if taken.rows_affected() == 0 {
            return Ok(None);
        }
        let taken = sqlx::query(
            "SELECT p.id, p.order_id, p.amount_minor, p.currency, p.state, p.transaction_id, p.decline_reason, \
             p.created_at, p.updated_at, s.bank_key, s.fence, s.attempts, s.traceparent, s.tracestate \
             FROM payments p JOIN payment_steps s ON s.payment_id = p.id AND s.step = $2 WHERE p.id = $1",
        )
        .bind(id)
        .bind(step.name())
        .fetch_one(transaction.executor())
        .await?;
        let context = ["traceparent", "tracestate"].map(|name| (name, taken.get::<Option<String>, _>(name)));
        Ok(Some(Held {
            payment: row::payment(&taken)?,
            step,
            bank_key: row::parsed(&taken, "bank_key")?,
            fence: taken.try_get("fence")?,
            attempts: u32::try_from(taken.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
            origin: MessageContext::from_pairs(context.into_iter().filter_map(|(name, value)| Some((name, value?)))),
        }))
    }
}
