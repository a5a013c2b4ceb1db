//! What happened to an order: written in the transaction that made it happen.

use database::Transaction;
use sqlx::FromRow;
use telemetry::MessageContext;
use uuid::Uuid;

use super::Store;
use super::rows::{self, broken};
use crate::order::{Change, Order, OrderId, Timestamp};

/// An event to be written.
pub(crate) struct New {
    pub(crate) id: Uuid,
    /// The trace in which it happens.
    pub(crate) context: MessageContext,
}

/// A row of `order_events`.
#[derive(FromRow)]
struct EventRow {
    state: String,
    decline_reason: Option<String>,
    created_at: i64,
}

// === impl Store ===

impl Store {
    /// Every state that an order was in, oldest first.
    pub(crate) async fn history(&self, id: OrderId) -> Result<Vec<Change>, sqlx::Error> {
        let select = sqlx::query_as(
            "SELECT state, decline_reason, created_at FROM order_events WHERE order_id = $1 ORDER BY sequence",
        );
        let rows: Vec<EventRow> = select.bind(id.to_string()).fetch_all(self.database.reader()).await?;
        let change = |row: EventRow| {
            let state = rows::named_state(&row.state, row.decline_reason.as_deref());
            let state = state.ok_or_else(|| broken("an event of an unknown state"))?;
            Ok(Change { state, at: Timestamp::from_micros(row.created_at) })
        };
        rows.into_iter().map(change).collect()
    }
}

/// Writes down the state that `order` has come to, unless that is the one it was in as callers see it.
pub(super) async fn append(transaction: &mut Transaction, order: &Order, new: &New) -> Result<(), sqlx::Error> {
    let carried = |name| new.context.pairs().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    sqlx::query(
        "INSERT INTO order_events (id, order_id, sequence, state, decline_reason, created_at, traceparent, tracestate) \
         SELECT $1, $2, 1 + COALESCE(MAX(sequence), 0), $3, $4, $5, $6, $7 FROM order_events WHERE order_id = $2 \
         HAVING COUNT(CASE WHEN state = $3 THEN 1 END) = 0",
    )
    .bind(new.id.to_string())
    .bind(order.id.to_string())
    .bind(rows::state_name(order.state))
    .bind(rows::decline_reason(order.state))
    .bind(order.updated.as_micros())
    .bind(carried("traceparent"))
    .bind(carried("tracestate"))
    .execute(transaction.executor())
    .await
    .map(drop)
}
