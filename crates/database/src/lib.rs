//! The store below a service: SQLite for one process, PostgreSQL for several, chosen by a URL.
//!
//! ```no_run
//! # async fn example(telemetry: &telemetry::Telemetry) -> Result<(), Box<dyn std::error::Error>> {
//! use database::{Database, Schema, ScopedFutureExt};
//! # let (sqlite, postgres) = (sqlx::migrate::Migrator::DEFAULT, sqlx::migrate::Migrator::DEFAULT);
//! // `sqlx::migrate!("migrations/sqlite")` and `sqlx::migrate!("migrations/postgres")`.
//! let schema = Schema { sqlite, postgres };
//! let database = Database::open(&"sqlite://order.db".parse()?, schema, "order", telemetry).await?;
//! let paid = database
//!     .write(|transaction| {
//!         let update = sqlx::query("UPDATE orders SET state = $1 WHERE id = $2").bind("PAID").bind(7);
//!         async move { update.execute(transaction.executor()).await }.scope_boxed()
//!     })
//!     .await?;
//! # drop(paid); Ok(()) }
//! ```
//!
//! Statements are written once for both, with numbered parameters and the types that both have: texts, 64-bit integers,
//! bytes. Each is a span of the caller's trace, and a duration ([`telemetry::Database`]).
//!
//! - **SQLite** keeps its log on disk before a write is answered (`synchronous=FULL`). One connection writes. Writes that
//!   wait for it at the same time share one commit, and so one wait for the disk; each still stands or falls alone.
//! - **PostgreSQL** takes writes from many connections and processes. One that the server refuses only because of another
//!   that ran beside it (SQLSTATE 40001, 40P01) is done again, a few times.
#![forbid(unsafe_code)]

mod url;
mod open;
mod sqlite;
mod postgres;
mod group;
mod transaction;
mod error;

pub use error::{OpenError, is_unavailable};
/// Makes of `async move { .. }` what [`Database::write`] takes: a future that may borrow what its closure has borrowed.
pub use scoped_futures::ScopedFutureExt;
pub use transaction::Transaction;
pub use url::{NotAUrl, Url, UrlParser};

use std::time::Duration;

use sqlx::AnyPool;
use sqlx::migrate::Migrator;
use telemetry::{DatabaseSystem, Traced};

use group::Writer;

/// How long a statement waits for a connection, or for its turn to write.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A handle of an open database; cheap to clone.
#[derive(Clone)]
pub struct Database {
    system: DatabaseSystem,
    traced: telemetry::Database,
    /// Of SQLite, those that read.
    pool: AnyPool,
    /// Of SQLite, the one that writes.
    writer: Option<Writer>,
}

/// The tables, in each dialect, as steps from the first version to the newest.
pub struct Schema {
    pub sqlite: Migrator,
    pub postgres: Migrator,
}

// === impl Database ===

impl Database {
    /// Which one it is, where the two need different statements.
    pub fn system(&self) -> DatabaseSystem {
        self.system
    }

    /// An executor for statements that only read, each for itself.
    pub fn reader(&self) -> Traced<&AnyPool> {
        self.traced.on(&self.pool)
    }

    /// Whether it answers. Makes no span: it is asked all the time.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop)
    }

    /// Waits for what is being written, and lets go of the database.
    pub async fn close(&self) {
        self.pool.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}
