//! What was taken over: SQLite, or PostgreSQL. Nothing but this module names a table.

use std::time::{SystemTime, UNIX_EPOCH};

use database::{Database, OpenError, Schema, ScopedFutureExt, Url};
use sqlx::FromRow;
use telemetry::Telemetry;
use uuid::Uuid;

use crate::delivery::{Delivery, Event, OrderState, Page, PageRequest};

/// A handle of the store; cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
}

/// A row of `deliveries`.
#[derive(FromRow)]
struct DeliveryRow {
    position: i64,
    event_id: String,
    order_id: String,
    sequence: i64,
    state: String,
    happened_at: i64,
    taken_at: i64,
}

// === impl Store ===

impl Store {
    /// Opens the database of that URL and brings its tables up to date.
    pub(crate) async fn open(url: &Url, telemetry: &Telemetry) -> Result<Self, OpenError> {
        let schema =
            Schema { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: sqlx::migrate!("migrations/postgres") };
        Ok(Self { database: Database::open(url, schema, "notification", telemetry).await? })
    }

    /// Whether the store answers. Makes no span: it is asked all the time.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        self.database.ping().await
    }

    /// Waits for what is being written and lets go of the database.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// Keeps an event; `false` if it is known already.
    pub(crate) async fn keep(&self, event: &Event) -> Result<bool, sqlx::Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        self.database
            .write(|transaction| {
                async move {
                    // One statement, so that no two take the same event over.
                    let kept = sqlx::query(
                        "INSERT INTO deliveries (event_id, order_id, sequence, state, happened_at, taken_at) \
                         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING",
                    )
                    .bind(event.id.to_string())
                    .bind(event.order.to_string())
                    .bind(event.sequence)
                    .bind(event.state.name())
                    .bind(event.at)
                    .bind(now)
                    .execute(transaction.executor())
                    .await?;
                    Ok(kept.rows_affected() == 1)
                }
                .scope_boxed()
            })
            .await
    }

    /// One page of the deliveries, newest first.
    pub(crate) async fn page(&self, request: &PageRequest) -> Result<Page, sqlx::Error> {
        let rows = sqlx::query_as(
            "SELECT position, event_id, order_id, sequence, state, happened_at, taken_at FROM deliveries \
             WHERE position < $1 AND order_id = COALESCE($2, order_id) ORDER BY position DESC LIMIT $3",
        )
        .bind(request.before.unwrap_or(i64::MAX))
        .bind(request.order.map(|order| order.to_string()))
        // One more than wanted tells whether there is another page.
        .bind(request.size + 1)
        .fetch_all(self.database.reader())
        .await?;
        let mut deliveries = rows.into_iter().map(DeliveryRow::delivery).collect::<Result<Vec<_>, _>>()?;
        let has_more = deliveries.len() as i64 > request.size;
        deliveries.truncate(usize::try_from(request.size).unwrap_or_default());
        let next = deliveries.last().filter(|_| has_more).map(|last| last.position);
        Ok(Page { deliveries, next })
    }
}

// === impl DeliveryRow ===

impl DeliveryRow {
    fn delivery(self) -> Result<Delivery, sqlx::Error> {
        let id = |text: &str| Uuid::try_parse(text).map_err(|error| sqlx::Error::Decode(error.into()));
        let state = OrderState::ALL.into_iter().find(|state| state.name() == self.state);
        let state = state.ok_or_else(|| sqlx::Error::Decode("the store holds an unknown state".into()))?;
        let (id, order) = (id(&self.event_id)?, id(&self.order_id)?);
        let event = Event { id, order, sequence: self.sequence, state, at: self.happened_at };
        Ok(Delivery { event, taken: self.taken_at, position: self.position })
    }
}
