//! Keeping a new order, with all that belongs to it.

use database::{ScopedFutureExt, Transaction};
use telemetry::DatabaseSystem;

use super::{Store, events, rows};
use crate::idempotency::Ticket;
use crate::order::{Email, Line, Order, PaymentToken};
use crate::saga::Held;

// === impl Store ===

impl Store {
    /// Claims the key of `ticket` for an order and commits it with the intent to charge for it, held by the caller, and with
    /// the event that it was placed. `false`: the key is taken, and nothing has changed.
    pub(crate) async fn accept(
        &self,
        ticket: &Ticket,
        held: &Held,
        email: &Email,
        event: &events::New,
    ) -> Result<bool, sqlx::Error> {
        let system = self.database.system();
        self.database
            .write(|transaction| {
                async move {
                    let is_claimed = claim(transaction, ticket, &held.order).await?;
                    if is_claimed {
                        self.insert(transaction, &held.order, email).await?;
                        insert_lines(transaction, &held.order, system).await?;
                        intend(transaction, held).await?;
                        events::append(transaction, &held.order, event).await?;
                    }
                    Ok(is_claimed)
                }
                .scope_boxed()
            })
            .await
    }

    /// The order, held by the caller: so it has its number from the beginning.
    async fn insert(&self, transaction: &mut Transaction, order: &Order, email: &Email) -> Result<(), sqlx::Error> {
        let (state, _) = rows::state_columns(order.state);
        sqlx::query(
            "INSERT INTO orders (id, state, customer_email, total_minor, currency, created_at, updated_at, \
             lease_until, fence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)",
        )
        .bind(order.id.to_string())
        .bind(state)
        .bind(email.expose())
        .bind(order.total.minor_units())
        .bind(order.total.currency().as_str())
        .bind(order.created.as_micros())
        .bind(order.updated.as_micros())
        .bind(order.created.plus(self.lease).as_micros())
        .execute(transaction.executor())
        .await
        .map(drop)
    }
}

/// Takes the key if it is free, in one statement, so that no two can.
async fn claim(transaction: &mut Transaction, ticket: &Ticket, order: &Order) -> Result<bool, sqlx::Error> {
    let claimed = sqlx::query(
        "INSERT INTO idempotency_keys (key, fingerprint, order_id, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (key) DO NOTHING",
    )
    .bind(ticket.key.as_str())
    .bind(&ticket.fingerprint.0[..])
    .bind(order.id.to_string())
    .bind(order.created.as_micros())
    .execute(transaction.executor())
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// In one statement, the same for any number of lines.
async fn insert_lines(transaction: &mut Transaction, order: &Order, system: DatabaseSystem) -> Result<(), sqlx::Error> {
    let insert = match system {
        DatabaseSystem::Sqlite => {
            "INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_minor) \
             SELECT $1, key, value ->> 0, value ->> 1, value ->> 2 FROM json_each($2)"
        }
        _ => {
            "INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_minor) \
             SELECT $1, position, line ->> 0, (line ->> 1)::BIGINT, (line ->> 2)::BIGINT \
             FROM json_array_elements($2::JSON) WITH ORDINALITY AS lines (line, position)"
        }
    };
    let insert = sqlx::query(insert).bind(order.id.to_string()).bind(in_one(&order.lines));
    insert.execute(transaction.executor()).await.map(drop)
}

/// All lines as one value.
fn in_one(lines: &[Line]) -> String {
    let line = |line: &Line| {
        serde_json::json!([line.sku().to_string(), line.quantity().get(), line.unit_price().minor_units()])
    };
    lines.iter().map(line).collect::<serde_json::Value>().to_string()
}

/// Writes down what the payment service is about to be asked.
async fn intend(transaction: &mut Transaction, held: &Held) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO order_steps (order_id, name, state, idempotency_key, payment_token, created_at, updated_at) \
         VALUES ($1, 'CHARGE', 'PENDING', $2, $3, $4, $5)",
    )
    .bind(held.order.id.to_string())
    .bind(&held.payment_key)
    .bind(held.token.as_ref().map(PaymentToken::expose))
    .bind(held.order.created.as_micros())
    .bind(held.order.updated.as_micros())
    .execute(transaction.executor())
    .await
    .map(drop)
}
