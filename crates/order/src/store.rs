//! The orders' store: one SQLite file, one connection that writes, a few that read.
//!
//! A write is on disk when it is answered (`synchronous=FULL`). Nothing but this module names a table.

mod orders;
mod rows;
mod saga;

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use telemetry::{Database, DatabaseSystem, Telemetry};

use crate::error::Error;

/// A handle of the store.
#[derive(Clone)]
pub(crate) struct Store {
    /// One connection: writers queue here instead of failing with `SQLITE_BUSY`.
    writer: SqlitePool,
    readers: SqlitePool,
    database: Database,
}

// === impl Store ===

impl Store {
    /// How long a statement waits for its connection.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

    /// How long a statement waits for another process that has locked the file.
    const LOCK_PATIENCE: Duration = Duration::from_secs(2);

    /// Opens the database of that URL and brings its schema up to date; makes the file if there is none.
    pub(crate) async fn open(url: &str, telemetry: &Telemetry) -> Result<Self, Error> {
        let options = options(url).map_err(Error::DatabaseUrl)?;
        let path = options.get_filename().to_owned();
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .min_connections(1)
                .acquire_timeout(Self::PATIENCE)
                // A local file does not hang up.
                .test_before_acquire(false)
                .connect_with(options.clone())
        };

        let writer = pool(1).await.map_err(|error| Error::OpenDatabase(path.clone(), error))?;
        let migrated = sqlx::migrate!().run(&writer).await;
        migrated.map_err(|error| Error::MigrateDatabase(path.clone(), error))?;
        let readers = pool(4).await.map_err(|error| Error::OpenDatabase(path, error))?;
        Ok(Self { writer, readers, database: telemetry.database(DatabaseSystem::Sqlite, "order") })
    }

    /// Whether the store answers. Makes no span: it is asked all the time.
    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.readers).await.map(drop)
    }

    /// Waits for what is being written and closes the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn options(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
    let options = url.parse::<SqliteConnectOptions>()?;
    Ok(options
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Store::LOCK_PATIENCE)
        // An erased payment token is overwritten, not only forgotten.
        .pragma("secure_delete", "ON")
        // Statements are spans already.
        .disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;
    use sqlx::sqlite::SqliteConnection;

    #[tokio::test]
    async fn the_bundled_sqlite_is_past_the_fault_that_resets_its_log() {
        // Before 3.51.3 several connections that write can corrupt the file (https://sqlite.org/wal.html#walresetbug).
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await.unwrap();
        let version: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
        assert!(version >= vec![3, 51, 3], "{version:?}");
    }
}
