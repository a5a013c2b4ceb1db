//! What is known under an idempotency key.

use sqlx::FromRow;

use super::Store;
use super::rows::{self, OrderRow, broken};
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::saga::{Attempt, Progress};

/// A row of `idempotency_keys` with its order.
#[derive(FromRow)]
struct AttemptRow {
    fingerprint: Vec<u8>,
    answered_state: Option<String>,
    answered_cancellation: Option<String>,
    answered_at: Option<i64>,
    #[sqlx(flatten)]
    order: OrderRow,
}

// === impl Store ===

impl Store {
    /// What is known under an idempotency key; `None` when it is new.
    pub(crate) async fn attempt(&self, key: &IdempotencyKey) -> Result<Option<Attempt>, sqlx::Error> {
        let row: Option<AttemptRow> = sqlx::query_as(
            "SELECT k.fingerprint, k.answered_state, k.answered_cancellation, k.answered_at, o.id, o.state, \
             o.decline_reason, o.cancellation, o.total_minor, o.currency, o.payment_id, o.created_at, o.updated_at \
             FROM idempotency_keys k JOIN orders o ON o.id = k.order_id WHERE k.key = $1",
        )
        .bind(key.as_str())
        .fetch_optional(self.database.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let fingerprint = row.fingerprint.try_into().map_err(|_| broken("a fingerprint of another length"))?;
        let progress = match (row.answered_state, row.answered_at) {
            (Some(state), Some(at)) => {
                let lines = self.lines(&row.order.id, &row.order.id).await?;
                Progress::Answered(rows::order(row.order.back_in(state, row.answered_cancellation, at), lines)?)
            }
            _ => Progress::Open(row.order.id.parse().map_err(|_| broken("a malformed id"))?),
        };
        Ok(Some(Attempt { fingerprint: Fingerprint(fingerprint), progress }))
    }
}
