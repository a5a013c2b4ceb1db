//! The bank's book: one SQLite file with the keys, the authorisations and the ledger.
//!
//! One connection writes, a few read. A changing call is one transaction of the writer, so calls are decided one after
//! another and the disk has one thing to wait for.

use std::{str::FromStr, time::Duration};

use serde::Serialize;
use sqlx::{
    FromRow, Sqlite, SqliteExecutor, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

use crate::{
    answer::Answer,
    authorisation::{Amount, Authorisation, Movement, State},
    error::Error,
    request::Fingerprint,
};

/// How long a call waits for its turn to write or for a connection to read; after that the bank is busy.
const PATIENCE: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// A handle on the book. Clones share it.
#[derive(Clone)]
pub(crate) struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// The book opened for writing, by one caller at a time. Nothing stays written unless it is committed.
pub(crate) struct Book {
    transaction: Transaction<'static, Sqlite>,
}

/// What the book says of a key that a call came with.
pub(crate) enum Claim {
    /// The same call was answered before.
    Answered(Answer),
    /// Another call has used the key.
    Reused,
    /// Nothing is decided yet; this is the `calls`-th call of the key.
    Open { calls: i64 },
}

/// One line of the statement.
#[derive(FromRow, Serialize)]
pub(crate) struct Entry {
    kind: String,
    authorisation_id: String,
    minor_units: i64,
    currency_code: String,
    reference: String,
    idempotency_key: String,
}

#[derive(FromRow)]
struct ClaimRow {
    same_request: bool,
    calls: i64,
    status: Option<u16>,
    body: Option<String>,
}

#[derive(FromRow)]
struct AuthorisationRow {
    #[sqlx(try_from = "String")]
    id: Uuid,
    #[sqlx(try_from = "String")]
    state: State,
    minor_units: i64,
    currency_code: String,
    reference: String,
}

// === impl Store ===

impl Store {
    /// Opens the file at `url`, makes it when it is missing, and brings its tables up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(Error::Open)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // The answer promises that the money has moved, so it waits for the disk.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE);

        let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(Error::Open)?;
        sqlx::migrate!().run(&writer).await.map_err(Error::Migrate)?;
        let readers = pool().max_connections(READERS).connect_lazy_with(options.read_only(true));
        Ok(Self { writer, readers })
    }

    /// Opens the book for writing, once the writer before has let go of it.
    pub(crate) async fn book(&self) -> Result<Book, sqlx::Error> {
        Ok(Book { transaction: self.writer.begin_with("BEGIN IMMEDIATE").await? })
    }

    /// Whether a call has ever claimed `key`.
    pub(crate) async fn knows(&self, key: &str) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE idempotency_key = ?1)")
            .bind(key)
            .fetch_one(&self.readers)
            .await
    }

    pub(crate) async fn authorisation(&self, id: Uuid) -> Result<Option<Authorisation>, sqlx::Error> {
        authorisation(&self.readers, id).await
    }

    pub(crate) async fn authorisation_by_key(&self, key: &str) -> Result<Option<Authorisation>, sqlx::Error> {
        let row: Option<AuthorisationRow> = sqlx::query_as(
            "SELECT id, state, minor_units, currency_code, reference FROM authorisations WHERE idempotency_key = ?1",
        )
        .bind(key)
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map(Authorisation::from))
    }

    /// The newest `limit` movements, of one `reference` or of all, oldest first.
    pub(crate) async fn statement(&self, reference: Option<&str>, limit: i64) -> Result<Vec<Entry>, sqlx::Error> {
        let newest = match reference {
            None => sqlx::query_as("SELECT * FROM ledger ORDER BY entry DESC LIMIT ?1").bind(limit),
            Some(reference) => sqlx::query_as("SELECT * FROM ledger WHERE reference = ?2 ORDER BY entry DESC LIMIT ?1")
                .bind(limit)
                .bind(reference),
        };
        let mut entries: Vec<Entry> = newest.fetch_all(&self.readers).await?;
        entries.reverse();
        Ok(entries)
    }

    /// Reads from the ledger, to learn whether that works.
    pub(crate) async fn check(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT entry FROM ledger LIMIT 1").fetch_optional(&self.readers).await?;
        Ok(())
    }

    /// Waits for the calls that still use the file, then writes its log back and closes it.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

// === impl Book ===

impl Book {
    /// Claims `key` for the request with this `fingerprint`, or finds out what became of it, in one statement.
    pub(crate) async fn claim(&mut self, key: &str, fingerprint: &Fingerprint) -> Result<Claim, sqlx::Error> {
        let row: ClaimRow = sqlx::query_as(
            "INSERT INTO idempotency_keys (idempotency_key, fingerprint, calls) VALUES (?1, ?2, 1)
             ON CONFLICT (idempotency_key) DO UPDATE SET calls = calls + 1
             RETURNING fingerprint = ?2 AS same_request, calls, status, body",
        )
        .bind(key)
        .bind(fingerprint.as_bytes())
        .fetch_one(&mut *self.transaction)
        .await?;

        Ok(match (row.same_request, row.status, row.body) {
            (false, ..) => Claim::Reused,
            (true, Some(status), Some(body)) => Claim::Answered(Answer { status, body }),
            (true, ..) => Claim::Open { calls: row.calls },
        })
    }

    pub(crate) async fn authorisation(&mut self, id: Uuid) -> Result<Option<Authorisation>, sqlx::Error> {
        authorisation(&mut *self.transaction, id).await
    }

    /// Writes down an authorisation that was just made with `key`.
    pub(crate) async fn add(&mut self, authorisation: &Authorisation, key: &str) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO authorisations (id, idempotency_key, state, minor_units, currency_code, reference)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(authorisation.id.to_string())
        .bind(key)
        .bind(authorisation.state.as_str())
        .bind(authorisation.amount.minor_units)
        .bind(&authorisation.amount.currency_code)
        .bind(&authorisation.reference)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// Writes down the state that an authorisation has come to.
    pub(crate) async fn update(&mut self, authorisation: &Authorisation) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE authorisations SET state = ?2 WHERE id = ?1")
            .bind(authorisation.id.to_string())
            .bind(authorisation.state.as_str())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Enters one movement of money into the ledger.
    pub(crate) async fn enter(
        &mut self,
        movement: Movement,
        authorisation: &Authorisation,
        key: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO ledger (kind, authorisation_id, minor_units, currency_code, reference, idempotency_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(movement.as_str())
        .bind(authorisation.id.to_string())
        .bind(authorisation.amount.minor_units)
        .bind(&authorisation.amount.currency_code)
        .bind(&authorisation.reference)
        .bind(key)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    /// Keeps the answer of `key` and commits it together with everything written before.
    pub(crate) async fn conclude(mut self, key: &str, answer: &Answer) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE idempotency_keys SET status = ?2, body = ?3 WHERE idempotency_key = ?1")
            .bind(key)
            .bind(answer.status)
            .bind(&answer.body)
            .execute(&mut *self.transaction)
            .await?;
        self.commit().await
    }

    /// Commits what was written; the key stays open.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}

async fn authorisation(executor: impl SqliteExecutor<'_>, id: Uuid) -> Result<Option<Authorisation>, sqlx::Error> {
    let row: Option<AuthorisationRow> =
        sqlx::query_as("SELECT id, state, minor_units, currency_code, reference FROM authorisations WHERE id = ?1")
            .bind(id.to_string())
            .fetch_optional(executor)
            .await?;
    Ok(row.map(Authorisation::from))
}

impl From<AuthorisationRow> for Authorisation {
    fn from(row: AuthorisationRow) -> Self {
        let amount = Amount { minor_units: row.minor_units, currency_code: row.currency_code };
        Authorisation { id: row.id, state: row.state, amount, reference: row.reference }
    }
}
