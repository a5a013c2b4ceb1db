//! Who works on an order whose work is left.
//!
//! Whoever takes an order has it until the lease ends, and a number that counts the takings. A holder that comes too late, after
//! a pause or a crash, finds another number in the store, and what it writes is refused.

use database::{ScopedFutureExt, Transaction};
use sqlx::FromRow;
use telemetry::{DatabaseSystem, MessageContext};

use super::Store;
use super::rows::{self, LineRow, OrderRow, broken};
use crate::order::{OrderId, PaymentId, PaymentToken, Timestamp};
use crate::saga::Held;

/// A row of `orders` with the step that charges for it and its first event.
#[derive(FromRow)]
struct HeldRow {
    #[sqlx(flatten)]
    order: OrderRow,
    fence: i64,
    attempts: i64,
    payment_key: String,
    payment_token: Option<String>,
    traceparent: Option<String>,
    tracestate: Option<String>,
}

// === impl Store ===

impl Store {
    /// Takes the order for the caller; `None` when no work is left or somebody else has it.
    pub(crate) async fn take(&self, id: OrderId) -> Result<Option<Held>, sqlx::Error> {
        self.database
            .write(|transaction| async move { self.take_in(transaction, id.to_string()).await }.scope_boxed())
            .await
    }

    /// Takes the orders whose work has been due for longest, `most` at most, that nobody else has.
    pub(crate) async fn take_due(&self, most: i64) -> Result<Vec<Held>, sqlx::Error> {
        let due = match self.database.system() {
            DatabaseSystem::Sqlite => {
                "SELECT id FROM orders WHERE (state = 'PAYMENT_PENDING' OR cancellation = 'REQUESTED') \
                 AND due_at <= $1 AND lease_until <= $1 ORDER BY due_at LIMIT $2"
            }
            // Two that look at the same time find different orders.
            _ => {
                "SELECT id FROM orders WHERE (state = 'PAYMENT_PENDING' OR cancellation = 'REQUESTED') \
                 AND due_at <= $1 AND lease_until <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED"
            }
        };
        self.database
            .write(|transaction| {
                async move {
                    let due = sqlx::query_scalar(due).bind(Timestamp::now().as_micros()).bind(most);
                    let ids: Vec<String> = due.fetch_all(transaction.executor()).await?;
                    let mut taken = Vec::with_capacity(ids.len());
                    for id in ids {
                        taken.extend(self.take_in(transaction, id).await?);
                    }
                    Ok(taken)
                }
                .scope_boxed()
            })
            .await
    }

    /// Gives the order back with its next step undone, to be taken up again after a pause.
    pub(crate) async fn leave(&self, held: &Held, payment: Option<PaymentId>) -> Result<(), sqlx::Error> {
        let due = Timestamp::now().plus(held.pause());
        self.database
            .write(|transaction| {
                async move {
                    sqlx::query(
                        "UPDATE orders SET lease_until = 0, due_at = $1, attempts = attempts + 1, \
                         payment_id = COALESCE($2, payment_id) WHERE id = $3 AND fence = $4",
                    )
                    .bind(due.as_micros())
                    .bind(payment.map(|id| id.to_string()))
                    .bind(held.order.id.to_string())
                    .bind(held.fence)
                    .execute(transaction.executor())
                    .await
                    .map(drop)
                }
                .scope_boxed()
            })
            .await
    }

    async fn take_in(&self, transaction: &mut Transaction, id: String) -> Result<Option<Held>, sqlx::Error> {
        let now = Timestamp::now();
        let taken = sqlx::query(
            "UPDATE orders SET fence = fence + 1, lease_until = $1 WHERE id = $2 AND lease_until <= $3 \
             AND (state = 'PAYMENT_PENDING' OR cancellation = 'REQUESTED')",
        )
        .bind(now.plus(self.lease).as_micros())
        .bind(&id)
        .bind(now.as_micros())
        .execute(transaction.executor())
        .await?;
        if taken.rows_affected() == 0 {
            return Ok(None);
        }
        let row: HeldRow = sqlx::query_as(
            "SELECT o.id, o.state, o.decline_reason, o.cancellation, o.total_minor, o.currency, o.payment_id, \
             o.created_at, o.updated_at, o.fence, o.attempts, s.idempotency_key AS payment_key, \
             s.payment_token, e.traceparent, e.tracestate \
             FROM orders o JOIN order_steps s ON s.order_id = o.id AND s.name = 'CHARGE' \
             LEFT JOIN order_events e ON e.order_id = o.id AND e.sequence = 1 WHERE o.id = $1",
        )
        .bind(&id)
        .fetch_one(transaction.executor())
        .await?;
        let lines = super::orders::lines(transaction.executor(), &id, &id).await?;
        row.held(lines).map(Some)
    }
}

// === impl HeldRow ===

impl HeldRow {
    fn held(self, lines: Vec<LineRow>) -> Result<Held, sqlx::Error> {
        let context = [("traceparent", self.traceparent), ("tracestate", self.tracestate)];
        let context = context.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Ok(Held {
            order: rows::order(self.order, lines)?,
            fence: self.fence,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            payment_key: self.payment_key,
            token: self
                .payment_token
                .map(|token| PaymentToken::parse(token).map_err(|_| broken("a malformed payment token")))
                .transpose()?,
            origin: MessageContext::from_pairs(context),
        })
    }
}
