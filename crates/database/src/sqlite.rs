//! How a file of SQLite's is opened.

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection};

use crate::PATIENCE;

/// What each connection is told. The log is on disk before a write is answered; what is deleted is overwritten, not only
/// forgotten; whoever meets another process's lock waits a little for it; what a savepoint needs is in memory, because a
/// container may have no folder for temporary files.
const SETTINGS: &str = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;";

/// The oldest version that does not corrupt its file.
const OLDEST: [u32; 3] = [3, 51, 3];

/// A pool of so many connections that stay open: a local file does not hang up.
pub(crate) async fn pool(options: &AnyConnectOptions, connections: u32) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop) })
        })
        .connect_with(options.clone())
        .await
}

/// Brings the tables up to date, all steps or none, while no other process can.
pub(crate) async fn migrate(connection: &mut AnyConnection, migrator: &Migrator) -> Result<(), MigrateError> {
    let mut alone = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Not `run`: that is generic in a way that hides from the compiler that this may be sent to another thread.
    migrator.run_direct(None, &mut *alone, false).await?;
    Ok(alone.commit().await?)
}

/// The version of the library, if it is one that corrupts its file.
pub(crate) async fn too_old(pool: &AnyPool) -> Result<Option<String>, sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or_default()).collect();
    Ok((parts[..] < OLDEST[..]).then_some(version))
}
