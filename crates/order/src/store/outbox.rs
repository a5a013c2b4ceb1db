//! Events that wait to be sent.

use std::time::Duration;

use database::ScopedFutureExt;
use sqlx::FromRow;
use telemetry::{DatabaseSystem, MessageContext};

use super::Store;
use super::rows::{self, broken};
use crate::order::{Email, Money, Timestamp};
use crate::outbox::{Fate, Outgoing, Parked};

/// How long whoever takes an event has it: longer than one sending may take.
const LEASE: Duration = Duration::from_secs(10);

/// The events of which none before them, of the same order, still waits.
macro_rules! waiting {
    () => {
        "SELECT e.id, e.order_id, e.sequence, e.state, e.decline_reason, e.created_at, e.traceparent, e.tracestate, \
         e.refusals, o.customer_email, o.total_minor, o.currency \
         FROM order_events e JOIN orders o ON o.id = e.order_id \
         WHERE e.delivered_at IS NULL AND e.parked_at IS NULL AND e.due_at <= $1 AND e.lease_until <= $1 \
         AND NOT EXISTS (SELECT 1 FROM order_events b WHERE b.order_id = e.order_id AND b.sequence < e.sequence \
         AND b.delivered_at IS NULL) "
    };
}

/// A row of `order_events` with its order.
#[derive(FromRow)]
struct OutgoingRow {
    id: String,
    order_id: String,
    sequence: i64,
    state: String,
    decline_reason: Option<String>,
    created_at: i64,
    traceparent: Option<String>,
    tracestate: Option<String>,
    refusals: i64,
    customer_email: String,
    total_minor: i64,
    currency: String,
}

/// A row of `order_events` that is parked.
#[derive(FromRow)]
struct ParkedRow {
    id: String,
    order_id: String,
    sequence: i64,
    state: String,
    decline_reason: Option<String>,
    parked_at: i64,
}

// === impl Store ===

impl Store {
    /// Takes the oldest events that are to be sent, `most` at most, that nobody else has: of each order only the first.
    pub(crate) async fn take_events(&self, most: i64) -> Result<Vec<Outgoing>, sqlx::Error> {
        let due = match self.database.system() {
            DatabaseSystem::Sqlite => concat!(waiting!(), "ORDER BY e.created_at LIMIT $2"),
            // Two that look at the same time find different events.
            _ => concat!(waiting!(), "ORDER BY e.created_at LIMIT $2 FOR UPDATE OF e SKIP LOCKED"),
        };
        self.database
            .write(|transaction| {
                async move {
                    let now = Timestamp::now();
                    let due = sqlx::query_as(due).bind(now.as_micros()).bind(most);
                    let rows: Vec<OutgoingRow> = due.fetch_all(transaction.executor()).await?;
                    for row in &rows {
                        sqlx::query("UPDATE order_events SET lease_until = $1 WHERE id = $2")
                            .bind(now.plus(LEASE).as_micros())
                            .bind(&row.id)
                            .execute(transaction.executor())
                            .await?;
                    }
                    rows.into_iter().map(OutgoingRow::event).collect()
                }
                .scope_boxed()
            })
            .await
    }

    /// Keeps that an event has arrived.
    pub(crate) async fn delivered(&self, id: &str) -> Result<(), sqlx::Error> {
        let now = Timestamp::now().as_micros();
        self.change_event("UPDATE order_events SET delivered_at = $1 WHERE id = $2 AND delivered_at IS NULL", now, id)
            .await
            .map(drop)
    }

    /// Gives an event back, to be sent again at once.
    pub(crate) async fn give_back(&self, id: &str) -> Result<(), sqlx::Error> {
        self.change_event("UPDATE order_events SET lease_until = $1 WHERE id = $2", 0, id).await.map(drop)
    }

    /// Keeps that an event was refused, and what is done with it.
    pub(crate) async fn refused(&self, id: &str, fate: &Fate) -> Result<(), sqlx::Error> {
        let now = Timestamp::now();
        let (update, at) = match fate {
            Fate::SentAgainAfter(pause) => (
                "UPDATE order_events SET refusals = refusals + 1, lease_until = 0, due_at = $1 WHERE id = $2",
                now.plus(*pause),
            ),
            Fate::Parked => {
                ("UPDATE order_events SET refusals = refusals + 1, lease_until = 0, parked_at = $1 WHERE id = $2", now)
            }
        };
        self.change_event(update, at.as_micros(), id).await.map(drop)
    }

    /// Events that are parked, the oldest first, `most` at most.
    pub(crate) async fn parked(&self, most: i64) -> Result<Vec<Parked>, sqlx::Error> {
        let select = sqlx::query_as(
            "SELECT id, order_id, sequence, state, decline_reason, parked_at FROM order_events \
             WHERE delivered_at IS NULL AND parked_at IS NOT NULL ORDER BY parked_at LIMIT $1",
        );
        let rows: Vec<ParkedRow> = select.bind(most).fetch_all(self.database.reader()).await?;
        rows.into_iter().map(ParkedRow::event).collect()
    }

    /// Lets a parked event be sent again, as if it had never been refused. `false`: there is no such event.
    pub(crate) async fn requeue(&self, id: &str) -> Result<bool, sqlx::Error> {
        let update = "UPDATE order_events SET parked_at = NULL, refusals = 0, due_at = $1 \
                      WHERE id = $2 AND delivered_at IS NULL AND parked_at IS NOT NULL";
        self.change_event(update, 0, id).await
    }

    async fn change_event(&self, update: &'static str, value: i64, id: &str) -> Result<bool, sqlx::Error> {
        self.database
            .write(|transaction| {
                async move {
                    let update = sqlx::query(update).bind(value).bind(id);
                    Ok(update.execute(transaction.executor()).await?.rows_affected() == 1)
                }
                .scope_boxed()
            })
            .await
    }
}

// === impl OutgoingRow ===

impl OutgoingRow {
    fn event(self) -> Result<Outgoing, sqlx::Error> {
        let context = [("traceparent", self.traceparent), ("tracestate", self.tracestate)];
        let currency = self.currency.parse().map_err(|_| broken("an unknown currency"))?;
        Ok(Outgoing {
            order: self.order_id.parse().map_err(|_| broken("a malformed id"))?,
            sequence: self.sequence,
            state: rows::named_state(&self.state, self.decline_reason.as_deref())
                .ok_or_else(|| broken("an event of an unknown state"))?,
            email: Email::parse(&self.customer_email).map_err(|_| broken("a malformed e-mail address"))?,
            total: Money::new(self.total_minor, currency).map_err(|_| broken("a negative amount"))?,
            at: Timestamp::from_micros(self.created_at),
            context: MessageContext::from_pairs(context.into_iter().filter_map(|(name, value)| Some((name, value?)))),
            refusals: u32::try_from(self.refusals).unwrap_or(u32::MAX),
            id: self.id,
        })
    }
}

// === impl ParkedRow ===

impl ParkedRow {
    fn event(self) -> Result<Parked, sqlx::Error> {
        Ok(Parked {
            order: self.order_id.parse().map_err(|_| broken("a malformed id"))?,
            sequence: self.sequence,
            state: rows::named_state(&self.state, self.decline_reason.as_deref())
                .ok_or_else(|| broken("an event of an unknown state"))?,
            since: Timestamp::from_micros(self.parked_at),
            id: self.id,
        })
    }
}
