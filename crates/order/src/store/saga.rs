//! Keeping what the shop sets out to do, and what became of it.

use database::{ScopedFutureExt, Transaction};
use sqlx::FromRow;
use telemetry::DatabaseSystem;

use super::Store;
use super::rows::{self, OrderRow};
use crate::idempotency::{Fingerprint, IdempotencyKey, Ticket};
use crate::order::{Email, Line, Order, PaymentToken, State};
use crate::saga::{Attempt, Charge, Progress};

/// A row of `idempotency_keys` with its order and the step that charges for it.
#[derive(FromRow)]
struct AttemptRow {
    fingerprint: Vec<u8>,
    answered_state: Option<String>,
    answered_at: Option<i64>,
    payment_key: String,
    payment_token: Option<String>,
    #[sqlx(flatten)]
    order: OrderRow,
}

// === impl Store ===

impl Store {
    /// What is known under an idempotency key; `None` when it is new.
    pub(crate) async fn attempt(&self, key: &IdempotencyKey) -> Result<Option<Attempt>, sqlx::Error> {
        let row: Option<AttemptRow> = sqlx::query_as(
            "SELECT k.fingerprint, k.answered_state, k.answered_at, s.idempotency_key AS payment_key, s.payment_token, \
             o.id, o.state, o.decline_reason, o.total_minor, o.currency, o.payment_id, o.created_at, o.updated_at \
             FROM idempotency_keys k JOIN orders o ON o.id = k.order_id \
             JOIN order_steps s ON s.order_id = k.order_id AND s.name = 'CHARGE' WHERE k.key = $1",
        )
        .bind(key.as_str())
        .fetch_optional(self.database.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let lines = self.lines(&row.order.id, &row.order.id).await?;

        let fingerprint = row.fingerprint.try_into().map_err(|_| broken("a fingerprint of another length"))?;
        let progress = match (row.answered_state, row.answered_at, row.payment_token) {
            (Some(state), Some(at), _) => Progress::Answered(rows::order(row.order.back_in(state, at), lines)?),
            (None, None, Some(token)) => Progress::Charging(Charge {
                order: rows::order(row.order, lines)?,
                payment_key: row.payment_key,
                token: PaymentToken::parse(token).map_err(|_| broken("a malformed payment token"))?,
            }),
            _ => return Err(broken("a step that has ended without an answer")),
        };
        Ok(Some(Attempt { fingerprint: Fingerprint(fingerprint), progress }))
    }

    /// Claims the key of `ticket` for an order and commits it with the intent to charge for it. `false`: the key is
    /// taken, and nothing has changed.
    pub(crate) async fn accept(&self, ticket: &Ticket, charge: &Charge, email: &Email) -> Result<bool, sqlx::Error> {
        let system = self.database.system();
        self.database
            .write(|transaction| {
                async move {
                    let is_claimed = claim(transaction, ticket, &charge.order).await?;
                    if is_claimed {
                        insert(transaction, &charge.order, email).await?;
                        insert_lines(transaction, &charge.order, system).await?;
                        intend(transaction, charge).await?;
                    }
                    Ok(is_claimed)
                }
                .scope_boxed()
            })
            .await
    }

    /// Keeps the payment's id of an order whose payment has not ended.
    pub(crate) async fn note_payment(&self, order: &Order) -> Result<(), sqlx::Error> {
        self.database
            .write(|transaction| {
                async move {
                    sqlx::query("UPDATE orders SET payment_id = $1 WHERE id = $2 AND state = 'PAYMENT_PENDING'")
                        .bind(order.payment.map(|id| id.to_string()))
                        .bind(order.id.to_string())
                        .execute(transaction.executor())
                        .await
                        .map(drop)
                }
                .scope_boxed()
            })
            .await
    }

    /// Keeps how an order ended, ends its step, erases the payment token and stores the answer, all or nothing. The schema
    /// refuses an order that has not ended.
    pub(crate) async fn settle(&self, ticket: &Ticket, order: &Order) -> Result<(), sqlx::Error> {
        self.database
            .write(|transaction| {
                async move {
                    advance(transaction, order).await?;
                    end_step(transaction, order).await?;
                    answer(transaction, ticket, order).await
                }
                .scope_boxed()
            })
            .await
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

async fn insert(transaction: &mut Transaction, order: &Order, email: &Email) -> Result<(), sqlx::Error> {
    let id = order.id.to_string();
    sqlx::query(
        "INSERT INTO orders (id, state, customer_email, total_minor, currency, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id)
    .bind(rows::state_name(order.state))
    .bind(email.expose())
    .bind(order.total.minor_units())
    .bind(order.total.currency().as_str())
    .bind(order.created.as_micros())
    .bind(order.updated.as_micros())
    .execute(transaction.executor())
    .await
    .map(drop)
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
async fn intend(transaction: &mut Transaction, charge: &Charge) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO order_steps (order_id, name, state, idempotency_key, payment_token, created_at, updated_at) \
         VALUES ($1, 'CHARGE', 'PENDING', $2, $3, $4, $5)",
    )
    .bind(charge.order.id.to_string())
    .bind(&charge.payment_key)
    .bind(charge.token.expose())
    .bind(charge.order.created.as_micros())
    .bind(charge.order.updated.as_micros())
    .execute(transaction.executor())
    .await
    .map(drop)
}

/// Moves the order on. From the pending state only, so that no order goes backwards whoever writes.
async fn advance(transaction: &mut Transaction, order: &Order) -> Result<(), sqlx::Error> {
    let reason = match order.state {
        State::Declined(reason) => Some(reason.as_str()),
        State::PaymentPending | State::Paid => None,
    };
    let moved = sqlx::query(
        "UPDATE orders SET state = $1, decline_reason = $2, payment_id = $3, updated_at = $4 \
         WHERE id = $5 AND state = 'PAYMENT_PENDING'",
    )
    .bind(rows::state_name(order.state))
    .bind(reason)
    .bind(order.payment.map(|id| id.to_string()))
    .bind(order.updated.as_micros())
    .bind(order.id.to_string())
    .execute(transaction.executor())
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

async fn end_step(transaction: &mut Transaction, order: &Order) -> Result<(), sqlx::Error> {
    let state = match order.state {
        State::PaymentPending => "PENDING",
        State::Paid => "SUCCEEDED",
        State::Declined(_) => "FAILED",
    };
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

async fn answer(transaction: &mut Transaction, ticket: &Ticket, order: &Order) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE idempotency_keys SET answered_state = $1, answered_at = $2 WHERE key = $3")
        .bind(rows::state_name(order.state))
        .bind(order.updated.as_micros())
        .bind(ticket.key.as_str())
        .execute(transaction.executor())
        .await
        .map(drop)
}

fn broken(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("the store holds {what}").into())
}
