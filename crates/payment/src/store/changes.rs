//! Moving a payment on, with all that belongs to it.

use database::{ScopedFutureExt, Transaction};

use super::{Store, row};
use crate::payment::{Payment, TransactionId};
use crate::steps::Held;

// === impl Store ===

impl Store {
    /// Keeps what became of a payment, ends the step that `held` is and stores its answer, all or nothing. `false`: somebody
    /// else has taken the step meanwhile, and nothing was written.
    pub(crate) async fn settle(&self, held: &Held, after: &Payment) -> Result<bool, sqlx::Error> {
        self.database
            .write(|transaction| {
                async move {
                    let is_held = end_step(transaction, held, after).await?;
                    if is_held {
                        if !advance(transaction, &held.payment, after).await? {
                            return Err(sqlx::Error::RowNotFound);
                        }
                        keep_answer(transaction, held, after).await?;
                    }
                    Ok(is_held)
                }
                .scope_boxed()
            })
            .await
    }
}

pub(super) async fn insert(transaction: &mut Transaction, payment: &Payment) -> Result<(), sqlx::Error> {
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
    .await?;
    write_down(transaction, payment).await
}

/// Moves a payment on from exactly the state it was in, so that no state goes backwards whoever writes. `false`: it is in
/// another.
pub(super) async fn advance(
    transaction: &mut Transaction,
    before: &Payment,
    after: &Payment,
) -> Result<bool, sqlx::Error> {
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
    if moved.rows_affected() == 1 {
        write_down(transaction, after).await?;
    }
    Ok(moved.rows_affected() == 1)
}

/// Adds the payment's state to its history.
async fn write_down(transaction: &mut Transaction, payment: &Payment) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO payment_history (payment_id, sequence, state, decline_reason, created_at) \
         SELECT $1, 1 + COALESCE(MAX(sequence), 0), $2, $3, $4 FROM payment_history WHERE payment_id = $1",
    )
    .bind(payment.id.to_string())
    .bind(row::name(&payment.state))
    .bind(row::decline_reason(&payment.state))
    .bind(payment.updated_at.micros)
    .execute(transaction.executor())
    .await
    .map(drop)
}

/// Ends the step if it is still the holder's.
async fn end_step(transaction: &mut Transaction, held: &Held, after: &Payment) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query(
        "UPDATE payment_steps SET state = $1, finished_at = $2, lease_until = 0 \
         WHERE payment_id = $3 AND step = $4 AND fence = $5 AND state = 'started'",
    )
    .bind(row::step_outcome(&after.state))
    .bind(after.updated_at.micros)
    .bind(after.id.to_string())
    .bind(held.step.name())
    .bind(held.fence)
    .execute(transaction.executor())
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Keeps what whoever asked for the step is told, now and at every repetition.
async fn keep_answer(transaction: &mut Transaction, held: &Held, after: &Payment) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE idempotency_keys SET answered_state = $1, answered_at = $2 WHERE method = $3 AND payment_id = $4",
    )
    .bind(row::name(&after.state))
    .bind(after.updated_at.micros)
    .bind(held.step.name())
    .bind(after.id.to_string())
    .execute(transaction.executor())
    .await
    .map(drop)
}
