//! Why the bank could not open or stay open.

use std::io;

/// What ends [`serve`](crate::serve) before its shutdown was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is malformed, or its file cannot be opened or created.
    #[error("failed to open the database")]
    Open(#[source] sqlx::Error),
    /// The file holds something else, or was written by a newer bank.
    #[error("failed to bring the database up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The HTTP server ended by itself.
    #[error("failed to serve")]
    Serve(#[source] io::Error),
}
