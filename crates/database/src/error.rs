use std::error::Error;
use std::iter::successors;

use sqlx::migrate::MigrateError;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It cannot be opened or reached.
    #[error("failed to open database {0}")]
    Open(String, #[source] sqlx::Error),
    /// Its tables cannot be brought up to date.
    #[error("failed to migrate database {0}")]
    Migrate(String, #[source] MigrateError),
    /// This SQLite can lose what was written: before 3.51.3, several connections that write and move the log into the file
    /// can corrupt it (<https://sqlite.org/wal.html#walresetbug>).
    #[error("SQLite {0} can corrupt its file; 3.51.3 or newer is needed")]
    OldSqlite(String),
}

/// SQLite's result code for a file that another process has locked. An extended code holds it in its low byte.
const SQLITE_BUSY: u32 = 5;

/// Whether the database may take the same statement later: it is busy, out of connections, or away for the moment.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(refused) => refused.code().is_some_and(|code| match code.len() {
            // PostgreSQL: lost connections, what collided with others, too little room, the operator's doing.
            5 => ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)),
            _ => code.parse::<u32>().is_ok_and(|code| code & 0xff == SQLITE_BUSY),
        }),
        _ => false,
    }
}

/// Whether the database has refused only because of others that ran at the same time: serialization_failure and
/// deadlock_detected (PostgreSQL, Appendix A).
pub(crate) fn is_conflict(error: &(dyn Error + 'static)) -> bool {
    let mut causes = successors(Some(error), |&error| error.source());
    causes.any(|error| {
        let refused = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        refused.and_then(|refused| refused.code()).is_some_and(|code| code == "40001" || code == "40P01")
    })
}
