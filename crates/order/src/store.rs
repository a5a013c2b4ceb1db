//! The orders' store: SQLite, or PostgreSQL. A write is on disk when it is answered. Nothing but this module names a table.

mod accept;
mod attempts;
mod leases;
mod progress;
pub(crate) mod events;
mod orders;
mod outbox;
mod rows;

pub(crate) use progress::Moved;

use std::time::Duration;

use database::{Database, OpenError, Schema, Url};
use telemetry::Telemetry;

/// A handle of the store.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
    /// How long whoever takes an order has it.
    lease: Duration,
}

// === impl Store ===

impl Store {
    /// Opens the database of that URL and brings its tables up to date.
    pub(crate) async fn open(url: &Url, lease: Duration, telemetry: &Telemetry) -> Result<Self, OpenError> {
        let schema =
            Schema { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: sqlx::migrate!("migrations/postgres") };
        Ok(Self { database: Database::open(url, schema, "order", telemetry).await?, lease })
    }

    /// Whether the store answers. Makes no span: it is asked all the time.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        self.database.ping().await
    }

    /// Waits for what is being written and lets go of the database.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}
