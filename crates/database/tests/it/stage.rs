//! A database of a test's own, on either system.

use database::{Database, Schema, Url};
use local_postgres::Server;
use telemetry::testing::Spans;
use telemetry::{Service, Telemetry};
use tempfile::TempDir;

/// A database that is open.
pub(crate) struct Stage {
    pub(crate) database: Database,
    pub(crate) telemetry: Telemetry,
    pub(crate) spans: Spans,
    pub(crate) url: Url,
    /// Goes with the test.
    pub(crate) _folder: Option<TempDir>,
}

/// The tables of the tests.
pub(crate) fn schema() -> Schema {
    Schema { sqlite: sqlx::migrate!("tests/migrations/sqlite"), postgres: sqlx::migrate!("tests/migrations/postgres") }
}

/// The tables of the version after them.
pub(crate) fn newer() -> Schema {
    Schema { sqlite: sqlx::migrate!("tests/migrations/newer"), postgres: sqlx::migrate!("tests/migrations/newer") }
}

// === impl Stage ===

impl Stage {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("notes.db").display());
        Self::open(url.parse().unwrap(), Some(folder)).await
    }

    /// `None` where there is no PostgreSQL.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = Server::shared()?.new_database().await;
        Some(Self::open(url.parse().unwrap(), None).await)
    }

    /// One of each that can be had here.
    pub(crate) async fn each() -> Vec<Self> {
        [Self::sqlite().await].into_iter().chain(Self::postgres().await).collect()
    }

    /// How many notes there are.
    pub(crate) async fn notes(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM notes").fetch_one(self.database.reader()).await.unwrap()
    }

    /// The text of a note.
    pub(crate) async fn text(&self, id: i64) -> Option<String> {
        let query = sqlx::query_scalar("SELECT text FROM notes WHERE id = $1").bind(id);
        query.fetch_optional(self.database.reader()).await.unwrap()
    }

    async fn open(url: Url, folder: Option<TempDir>) -> Self {
        let spans = Spans::new();
        let telemetry = spans.service(Service::new("notes", "0.0.0"));
        let database = Database::open(&url, schema(), "notes", &telemetry).await.unwrap();
        Self { database, telemetry, spans, url, _folder: folder }
    }
}

/// Writes one note.
pub(crate) async fn insert(transaction: &mut database::Transaction, id: i64) -> Result<(), sqlx::Error> {
    let insert = sqlx::query("INSERT INTO notes (id, text) VALUES ($1, $2)").bind(id).bind("a note");
    insert.execute(transaction.executor()).await.map(drop)
}
