//! Reading orders.

use std::collections::HashMap;

use sqlx::{Any, Executor};

use super::Store;
use super::rows::{self, LineRow, OrderRow};
use crate::listing::{Page, PageRequest, PageToken};
use crate::order::{Order, OrderId};

/// Sorts behind every id: where the first page begins.
const BEHIND_THE_NEWEST: &str = "~";

// === impl Store ===

impl Store {
    /// The order with that id, if there is one.
    pub(crate) async fn order(&self, id: OrderId) -> Result<Option<Order>, sqlx::Error> {
        let id = id.to_string();
        let row: Option<OrderRow> = sqlx::query_as(
            "SELECT id, state, decline_reason, cancellation, total_minor, currency, payment_id, created_at, updated_at \
             FROM orders WHERE id = $1",
        )
        .bind(&id)
        .fetch_optional(self.database.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let lines = self.lines(&id, &id).await?;
        rows::order(row, lines).map(Some)
    }

    /// One page of the orders, newest first.
    pub(crate) async fn page(&self, request: PageRequest) -> Result<Page, sqlx::Error> {
        let before = request.after.map_or_else(|| BEHIND_THE_NEWEST.to_owned(), |token| token.last().to_string());
        let size = request.size.get();
        let mut rows: Vec<OrderRow> = sqlx::query_as(
            "SELECT id, state, decline_reason, cancellation, total_minor, currency, payment_id, created_at, updated_at \
             FROM orders WHERE id < $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(before)
        // One more than wanted tells whether there is another page.
        .bind(size as i64 + 1)
        .fetch_all(self.database.reader())
        .await?;
        let more = rows.len() > size;
        rows.truncate(size);

        let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else {
            return Ok(Page { orders: Vec::new(), next: None });
        };
        let mut lines = HashMap::<_, Vec<_>>::with_capacity(rows.len());
        for line in self.lines(&oldest.id, &newest.id).await? {
            lines.entry(line.order_id.clone()).or_default().push(line);
        }
        let orders = rows.into_iter().map(|row| {
            let own = lines.remove(&row.id).unwrap_or_default();
            rows::order(row, own)
        });
        let orders = orders.collect::<Result<Vec<_>, _>>()?;
        let next = orders.last().filter(|_| more).map(|last| PageToken::ending_with(last.id));
        Ok(Page { orders, next })
    }

    pub(super) async fn lines(&self, oldest: &str, newest: &str) -> Result<Vec<LineRow>, sqlx::Error> {
        lines(self.database.reader(), oldest, newest).await
    }
}

/// The lines of all orders from `oldest` to `newest`, each order's in its caller's order.
pub(super) async fn lines<'c>(
    executor: impl Executor<'c, Database = Any>,
    oldest: &str,
    newest: &str,
) -> Result<Vec<LineRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT order_id, sku, quantity, unit_price_minor \
         FROM order_lines WHERE order_id BETWEEN $1 AND $2 ORDER BY order_id, position",
    )
    .bind(oldest)
    .bind(newest)
    .fetch_all(executor)
    .await
}
