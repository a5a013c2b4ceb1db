//! How a server of PostgreSQL's is connected to.

use std::time::Duration;

use sqlx::AnyPool;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};

use crate::PATIENCE;

/// What each connection is told. No statement of a service takes seconds, unless something is wrong; then its connection
/// and its locks are wanted back.
const SETTINGS: &str =
    "SET statement_timeout = '5s'; SET lock_timeout = '3s'; SET idle_in_transaction_session_timeout = '10s';";

/// How long a connection lives: so that, after servers have changed places, all of them are spread anew.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A pool of at most so many connections.
pub(crate) async fn pool(options: &AnyConnectOptions, connections: u32) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .max_lifetime(LIFETIME)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop) })
        })
        .connect_with(options.clone())
        .await
}
