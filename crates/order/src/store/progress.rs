//! Moving an order on, with all that belongs to it.

use database::{ScopedFutureExt, Transaction};
use telemetry::DatabaseSystem;

use super::rows::{self, OrderRow};
use super::{Store, events};
use crate::order::{Event, Order, PaymentId, State, Step};
use crate::saga::Held;

/// What became of an attempt to move an order on.
pub(crate) enum Moved {
    /// The order as it is now.
    On(Order),
    /// Somebody else has moved it on or taken it; nothing was written.
    Meanwhile,
}

// === impl Store ===

impl Store {
    /// Moves the order of `held` on by `event`, which ends its step: keeps the new state, and the answer if its payment has
    /// ended, erases the payment token, and writes `new` down, all or nothing. The order stays held as long as a step is left.
    pub(crate) async fn advance(
        &self,
        held: &Held,
        event: Event,
        payment: Option<PaymentId>,
        new: &events::New,
    ) -> Result<Moved, sqlx::Error> {
        self.database
            .write(|transaction| {
                async move {
                    let Some(order) = self.locked(transaction, &held.order, Some(held.fence)).await? else {
                        return Ok(Moved::Meanwhile);
                    };
                    let ended = order.state.next_step();
                    let Ok(order) = order.with_payment(payment).after(event) else { return Ok(Moved::Meanwhile) };
                    self.update(transaction, &order).await?;
                    if ended == Some(Step::Charge) {
                        end_charge(transaction, &order).await?;
                        answer(transaction, &order).await?;
                    }
                    events::append(transaction, &order, new).await?;
                    Ok(Moved::On(order))
                }
                .scope_boxed()
            })
            .await
    }

    /// Keeps that the order is to be cancelled. Whoever holds the order finds out
    /// when its step ends.
    pub(crate) async fn ask_to_cancel(&self, known: &Order, new: &events::New) -> Result<Moved, sqlx::Error> {
        self.database
            .write(|transaction| {
                async move {
                    let Some(order) = self.locked(transaction, known, None).await? else { return Ok(Moved::Meanwhile) };
                    let Ok(order) = order.after(Event::CancelAsked) else { return Ok(Moved::Meanwhile) };
                    let (_, cancellation) = rows::state_columns(order.state);
                    sqlx::query(
                        "UPDATE orders SET cancellation = $1, updated_at = $2, due_at = $2, attempts = 0 WHERE id = $3",
                    )
                    .bind(cancellation)
                    .bind(order.updated.as_micros())
                    .bind(order.id.to_string())
                    .execute(transaction.executor())
                    .await?;
                    events::append(transaction, &order, new).await?;
                    Ok(Moved::On(order))
                }
                .scope_boxed()
            })
            .await
    }

    /// The order that is known as `known`, as it is now: nobody else changes it before the transaction ends. `None` if `fence`
    /// is given and not its own.
    async fn locked(
        &self,
        transaction: &mut Transaction,
        known: &Order,
        fence: Option<i64>,
    ) -> Result<Option<Order>, sqlx::Error> {
        let select = match self.database.system() {
            // Has one writer at a time.
            DatabaseSystem::Sqlite => {
                "SELECT id, state, decline_reason, cancellation, total_minor, currency, payment_id, created_at, updated_at \
                 FROM orders WHERE id = $1 AND fence = COALESCE($2, fence)"
            }
            _ => {
                "SELECT id, state, decline_reason, cancellation, total_minor, currency, payment_id, created_at, updated_at \
                 FROM orders WHERE id = $1 AND fence = COALESCE($2, fence) FOR UPDATE"
            }
        };
        let select = sqlx::query_as(select).bind(known.id.to_string()).bind(fence);
        let row: Option<OrderRow> = select.fetch_optional(transaction.executor()).await?;
        row.map(|row| rows::order_of(row, known.lines.clone())).transpose()
    }

    /// Keeps the new state. The order stays held, for another lease, as long as a step is left.
    async fn update(&self, transaction: &mut Transaction, order: &Order) -> Result<(), sqlx::Error> {
        let (state, cancellation) = rows::state_columns(order.state);
        let lease = order.state.next_step().map_or(0, |_| order.updated.plus(self.lease).as_micros());
        sqlx::query(
            "UPDATE orders SET state = $1, decline_reason = $2, cancellation = $3, payment_id = $4, updated_at = $5, \
             lease_until = $6, attempts = 0 WHERE id = $7",
        )
        .bind(state)
        .bind(rows::decline_reason(order.state))
        .bind(cancellation)
        .bind(order.payment.map(|id| id.to_string()))
        .bind(order.updated.as_micros())
        .bind(lease)
        .bind(order.id.to_string())
        .execute(transaction.executor())
        .await
        .map(drop)
    }
}

/// Ends the step and erases what only it needed.
async fn end_charge(transaction: &mut Transaction, order: &Order) -> Result<(), sqlx::Error> {
    let state = if matches!(order.state, State::Declined(_)) { "FAILED" } else { "SUCCEEDED" };
    sqlx::query(
        "UPDATE order_steps SET state = $1, payment_token = NULL, updated_at = $2 WHERE order_id = $3 AND name = 'CHARGE'",
    )
    .bind(state)
    .bind(order.updated.as_micros())
    .bind(order.id.to_string())
    .execute(transaction.executor())
    .await
    .map(drop)
}

/// Keeps what the caller that placed the order is told, now and at every repetition.
async fn answer(transaction: &mut Transaction, order: &Order) -> Result<(), sqlx::Error> {
    let (state, cancellation) = rows::state_columns(order.state);
    sqlx::query(
        "UPDATE idempotency_keys SET answered_state = $1, answered_cancellation = $2, answered_at = $3 WHERE order_id = $4",
    )
    .bind(state)
    .bind(cancellation)
    .bind(order.updated.as_micros())
    .bind(order.id.to_string())
    .execute(transaction.executor())
    .await
    .map(drop)
}
