//! The ledger: payments, the steps they take, and the keys under which callers asked for them.

mod claims;
mod leases;
mod changes;
mod row;

pub(crate) use claims::Claim;

use std::time::Duration;

use database::{Database, OpenError, Schema, Url};
use sqlx::{Any, Executor};
use telemetry::Telemetry;

use crate::payment::{Change, Payment, PaymentId};

/// A handle to the ledger; cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
    /// How long whoever takes a step has it.
    lease: Duration,
}

// === impl Store ===

impl Store {
    /// Opens the ledger at `url`, and brings it up to date.
    pub(crate) async fn open(url: &Url, lease: Duration, telemetry: &Telemetry) -> Result<Self, OpenError> {
        let schema =
            Schema { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: sqlx::migrate!("migrations/postgres") };
        Ok(Self { database: Database::open(url, schema, "payment", telemetry).await?, lease })
    }

    /// Waits for what is being written and lets go of the ledger.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// Whether the ledger can be read.
    pub(crate) async fn check(&self) -> Result<(), sqlx::Error> {
        let statement = sqlx::query("SELECT 1 FROM payments LIMIT 1");
        statement.fetch_optional(self.database.reader()).await.map(drop)
    }

    /// The payment as it is now.
    pub(crate) async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, sqlx::Error> {
        find(self.database.reader(), id).await
    }

    /// Every state that a payment was in, oldest first.
    pub(crate) async fn history(&self, id: PaymentId) -> Result<Vec<Change>, sqlx::Error> {
        let select = sqlx::query(
            "SELECT h.state, h.decline_reason, h.created_at, p.transaction_id \
             FROM payment_history h JOIN payments p ON p.id = h.payment_id WHERE h.payment_id = $1 ORDER BY h.sequence",
        );
        let rows = select.bind(id.to_string()).fetch_all(self.database.reader()).await?;
        rows.iter().map(row::change).collect()
    }
}

async fn find<'c>(executor: impl Executor<'c, Database = Any>, id: PaymentId) -> Result<Option<Payment>, sqlx::Error> {
    let statement = sqlx::query(
        "SELECT id, order_id, amount_minor, currency, state, transaction_id, decline_reason, created_at, updated_at \
         FROM payments WHERE id = $1",
    );
    let found = statement.bind(id.to_string()).fetch_optional(executor).await?;
    found.map(|found| row::payment(&found)).transpose()
}
