use sqlx::any::install_default_drivers;
use telemetry::{DatabaseSystem, Telemetry};

use crate::error::OpenError;
use crate::group::Writer;
use crate::{Database, Schema, Url, postgres, sqlite};

/// How many connections of SQLite read at the same time.
const READERS: u32 = 4;

/// How many connections one process has to PostgreSQL at most; by default a server takes a hundred from all.
const CONNECTIONS: u32 = 16;

// === impl Database ===

impl Database {
    /// Opens the database of `url`, makes the file if there is none, and brings its tables up to date, one process at a
    /// time. `name` is what the database is known by in telemetry, where the URL has no name for it.
    ///
    /// Tables newer than `schema` are taken as they are: during an upgrade, processes of the version before still run.
    ///
    /// # Errors
    /// When it cannot be opened or brought up to date.
    pub async fn open(url: &Url, schema: Schema, name: &str, telemetry: &Telemetry) -> Result<Self, OpenError> {
        install_default_drivers();
        match url.system() {
            DatabaseSystem::Sqlite => Self::open_sqlite(url, schema, name, telemetry).await,
            _ => Self::open_postgres(url, schema, name, telemetry).await,
        }
    }

    async fn open_sqlite(url: &Url, mut schema: Schema, name: &str, telemetry: &Telemetry) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Open(url.to_string(), error);
        let options = url.options();
        let writer = sqlite::pool(&options, 1).await.map_err(failed)?;
        if let Some(version) = sqlite::too_old(&writer).await.map_err(failed)? {
            return Err(OpenError::OldSqlite(version));
        }
        schema.sqlite.set_ignore_missing(true);
        let mut connection = writer.acquire().await.map_err(failed)?;
        let migrated = sqlite::migrate(&mut connection, &schema.sqlite).await;
        migrated.map_err(|error| OpenError::Migrate(url.to_string(), error))?;
        drop(connection);
        let pool = sqlite::pool(&options, READERS).await.map_err(failed)?;
        let traced = telemetry.database(DatabaseSystem::Sqlite, name);
        Ok(Self { system: DatabaseSystem::Sqlite, traced, pool, writer: Some(Writer::new(writer)) })
    }

    async fn open_postgres(
        url: &Url,
        mut schema: Schema,
        name: &str,
        telemetry: &Telemetry,
    ) -> Result<Self, OpenError> {
        let pool = postgres::pool(&url.options(), CONNECTIONS).await;
        let pool = pool.map_err(|error| OpenError::Open(url.to_string(), error))?;
        schema.postgres.set_ignore_missing(true);
        let mut connection = pool.acquire().await.map_err(|error| OpenError::Open(url.to_string(), error))?;
        let migrated = schema.postgres.run_direct(None, &mut *connection, false).await;
        drop(connection);
        migrated.map_err(|error| OpenError::Migrate(url.to_string(), error))?;
        let (host, port, database) = url.server().unwrap_or_default();
        let traced = telemetry.database(DatabaseSystem::Postgresql, database.unwrap_or(name)).server(host, port);
        Ok(Self { system: DatabaseSystem::Postgresql, traced, pool, writer: None })
    }
}
