//! Database statements as CLIENT spans and durations, for any sqlx executor.

mod metrics;
mod query;
mod sql;
mod statement;
mod summary;

use std::sync::Arc;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::SdkTracer;
use sqlx::{Describe, Either, Execute, Executor, Pool, SqlStr};

use crate::handle::Telemetry;
use crate::semconv;
use metrics::{Known, StatementMeter};
use query::Query;
use statement::{Observed, Statement};

/// Makes every statement on one database a CLIENT span; made by [`Telemetry::database`](crate::Telemetry::database),
/// cheap to clone.
///
/// ```no_run
/// # async fn example(telemetry: telemetry::Telemetry, pool: sqlx::SqlitePool) -> Result<(), sqlx::Error> {
/// let db = telemetry.database(telemetry::DatabaseSystem::Sqlite, "order");
/// // Or, with a `sqlx::PgPool`: telemetry.database(DatabaseSystem::Postgresql, "shop|public").server("db.internal", 5432)
/// let paid = sqlx::query("SELECT id FROM orders WHERE state = ?").bind("paid").fetch_all(db.on(&pool)).await?;
///
/// let mut transaction = db.begin(&pool).await?;
/// sqlx::query("DELETE FROM orders WHERE id = ?").bind(7).execute(transaction.executor()).await?;
/// transaction.commit().await?;
/// # Ok(()) }
/// ```
///
/// A span is named by the statement's summary, `SELECT orders`, and carries `db.system.name`, `db.namespace`,
/// `db.query.summary`, `db.query.text`, where the [server](Self::server) is named `server.address` and `server.port`, of a
/// query `db.response.returned_rows`, and on failure the database's own `db.response.status_code`, which is its
/// `error.type` too (<https://github.com/open-telemetry/semantic-conventions/blob/main/docs/db/database-spans.md>).
/// Operations and collections are told by the summary only, as the conventions ask where they are read from the text. An error that does not
/// come from the database has the name of its [`sqlx::Error`] variant as `error.type`. Bound values are never recorded.
///
/// Every statement counts in `db.client.operation.duration`, for as long as its span if it has one, with
/// `db.system.name`, `db.namespace`, `db.query.summary` and the same server, `db.response.status_code` and `error.type`
/// (<https://github.com/open-telemetry/semantic-conventions/blob/main/docs/db/database-metrics.md>).
///
/// Only statements inside a recorded trace make spans. Migrations, probes and other work that belongs to no request stay
/// quiet, or each of their statements would be a trace of its own. Nor does what bypasses sqlx's executors, such as
/// PostgreSQL's `COPY .. FROM STDIN` and its notifications.
///
/// The driver is the caller's choice: this crate depends on none.
#[derive(Clone, Debug)]
pub struct Database(Arc<Identity>);

/// What every span of a database says about it, and what its statements have in common.
#[derive(Debug)]
struct Identity {
    tracer: SdkTracer,
    meter: Option<StatementMeter>,
    known: Known,
    system: DatabaseSystem,
    /// `db.system.name`, `db.namespace`, and of a server its address.
    attributes: Vec<KeyValue>,
}

/// The database product, as `db.system.name` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatabaseSystem {
    /// SQLite, `sqlite`. Its status codes are the extended result codes, and its namespace is the name of its file.
    Sqlite,
    /// PostgreSQL, `postgresql`. Its status codes are SQLSTATEs, `23505`, and its namespace is `database|schema`, such as
    /// `shop|public`, or what is known of the two.
    Postgresql,
}

/// An executor whose statements are spans; made by [`Database::on`] and [`Transaction::executor`].
///
/// The span starts when the statement is first polled, with the current context as its parent, so waiting for a
/// connection of a pool is part of it. It ends when the statement is over for the caller: with the last row, an error, or
/// when the caller drops it. A statement dropped before it gave anything has `error.type` `timeout` and status Error if
/// the call's deadline had passed, and otherwise `cancelled` with the status left unset, because the caller wanted it so.
/// No row where one was expected ([`sqlx::Error::RowNotFound`]) is not a failure of the statement.
///
/// `db.query.text` is the text as written, up to 4096 characters, with each literal replaced by `?` and comments left out:
/// values may stand in a text beside those that are bound to it. What is a literal is read as the database reads it: for
/// SQLite, so is a name in double quotes, which may turn out to be a string; for PostgreSQL, where a backslash before a
/// quote means one thing or the other by a setting of the server, all that follows.
///
/// A text of several statements ([`sqlx::raw_sql`]) is sent as one and is one span, whose summary names each of them, and
/// which has the code of the one that failed. [`Executor::prepare`] and `describe` run no statement and make no span; what
/// was prepared makes one with each run. What a driver asks on its own, such as the number of a type, is part
/// of the statement that it asks for.
#[derive(Debug)]
pub struct Traced<E> {
    inner: E,
    database: Database,
}

/// A transaction of one sqlx database, such as `sqlx::Sqlite` or `sqlx::Postgres`; made by [`Database::begin`].
///
/// Dropping it without [`commit`](Self::commit) rolls back. That roll-back has no span: it happens when the connection is
/// used again, and nobody waits for it.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<DB: sqlx::Database> {
    inner: sqlx::Transaction<'static, DB>,
    database: Database,
}

// === impl DatabaseSystem ===

impl DatabaseSystem {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
        }
    }

    fn default_port(self) -> Option<u16> {
        match self {
            Self::Sqlite => None,
            Self::Postgresql => Some(5432),
        }
    }

    /// What begins a transaction.
    fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgresql => "BEGIN",
        }
    }
}

// === impl Database ===

impl Database {
    /// `namespace` is the name the database is known by, `db.namespace`; never a path.
    pub(crate) fn new(telemetry: &Telemetry, system: DatabaseSystem, namespace: impl Into<String>) -> Self {
        let name = KeyValue::new(semconv::DB_SYSTEM_NAME, system.name());
        let attributes = vec![name, KeyValue::new(semconv::DB_NAMESPACE, Arc::<str>::from(namespace.into()))];
        let meter = telemetry.meter().map(|meter| StatementMeter::new(meter, &attributes));
        let tracer = telemetry.tracer().clone();
        Self(Arc::new(Identity { tracer, meter, known: Known::new(system), system, attributes }))
    }

    /// Names the server that the database is on, as the client is told it: `server.address`, a host's name or number or the
    /// path of a Unix socket, and `server.port` unless it is `None` or the default port of the database.
    ///
    /// An address is part of every series, and must hold no credentials.
    pub fn server(self, address: impl Into<String>, port: impl Into<Option<u16>>) -> Self {
        let Identity { tracer, meter, system, attributes, .. } = &*self.0;
        let port = port.into().filter(|port| system.default_port() != Some(*port));
        let address = KeyValue::new(semconv::SERVER_ADDRESS, Arc::<str>::from(address.into()));
        let port = port.map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port)));
        // Instead of a server named before.
        let attributes: Vec<_> = attributes[..2].iter().cloned().chain([address]).chain(port).collect();
        Self(Arc::new(Identity {
            tracer: tracer.clone(),
            meter: meter.as_ref().map(|meter| meter.of(&attributes)),
            // Series are bound to texts, and these are others.
            known: Known::new(*system),
            system: *system,
            attributes,
        }))
    }

    /// Wraps `executor` (`&pool` or `&mut *connection`) so that what runs on it is recorded.
    pub fn on<E>(&self, executor: E) -> Traced<E> {
        Traced { inner: executor, database: self.clone() }
    }

    /// Takes a connection from `pool` and begins a transaction: on SQLite with `BEGIN IMMEDIATE`, on PostgreSQL with `BEGIN`,
    /// and so with the isolation that is the connection's default.
    ///
    /// SQLite's holds the write lock from its beginning. A deferred one that reads before it writes can fail with
    /// `SQLITE_BUSY` halfway, without waiting; this one waits for the lock here. Waiting for the connection and for the
    /// lock is part of the span `BEGIN`.
    pub async fn begin<DB: sqlx::Database>(&self, pool: &Pool<DB>) -> Result<Transaction<DB>, sqlx::Error> {
        let begin = self.0.system.begin();
        let inner = self.observe(begin, pool.begin_with(begin)).await?;
        Ok(Transaction { inner, database: self.clone() })
    }

    /// Records `operation` as a statement of this text: for what reaches the database by no executor of sqlx's, such as a
    /// COPY, or the wait for a connection that others share.
    pub async fn observe<T>(
        &self,
        text: &'static str,
        operation: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let running = Statement::fixed(self, text).start();
        let result = operation.await;
        running.end(result.as_ref().err());
        result
    }
}

// === impl Transaction ===

impl<DB: sqlx::Database> Transaction<DB> {
    /// The executor for the transaction's statements.
    pub fn executor(&mut self) -> Traced<&mut DB::Connection> {
        Traced { inner: &mut self.inner, database: self.database.clone() }
    }

    /// Makes the transaction's changes permanent.
    ///
    /// After a statement of it has failed, PostgreSQL answers this with a roll-back and without an error, and neither sqlx
    /// nor the span tells: a caller that went on after an error must roll back itself.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.database.observe("COMMIT", self.inner.commit()).await
    }

    /// Undoes the transaction's changes and waits until they are undone.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.database.observe("ROLLBACK", self.inner.rollback()).await
    }
}

// === impl Traced ===

/// The other methods of the trait are made of these two, so each statement passes here exactly once.
impl<'c, E: Executor<'c>> Executor<'c> for Traced<E> {
    type Database = E::Database;

    fn fetch_many<'e, 'q: 'e, Q>(
        self,
        query: Q,
    ) -> BoxStream<'e, Result<Either<Outcome<Self::Database>, Row<Self::Database>>, sqlx::Error>>
    where
        'c: 'e,
        Q: 'q + Execute<'q, Self::Database>,
    {
        let query = Query::of(query);
        let statement = Statement::of(&self.database, &query);
        Box::pin(Observed::new(statement, self.inner.fetch_many(query)))
    }

    fn fetch_optional<'e, 'q: 'e, Q>(self, query: Q) -> BoxFuture<'e, Result<Option<Row<Self::Database>>, sqlx::Error>>
    where
        'c: 'e,
        Q: 'q + Execute<'q, Self::Database>,
    {
        let query = Query::of(query);
        let statement = Statement::of(&self.database, &query);
        let row = self.inner.fetch_optional(query);
        Box::pin(async move {
            let mut running = statement.start();
            let result = row.await;
            running.rows(result.as_ref().map_or(0, |row| i64::from(row.is_some())));
            running.end(result.as_ref().err());
            result
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [<Self::Database as sqlx::Database>::TypeInfo],
    ) -> BoxFuture<'e, Result<<Self::Database as sqlx::Database>::Statement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.inner.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Self::Database>, sqlx::Error>>
    where
        'c: 'e,
    {
        self.inner.describe(sql)
    }
}

type Outcome<DB> = <DB as sqlx::Database>::QueryResult;
type Row<DB> = <DB as sqlx::Database>::Row;

#[cfg(test)]
mod tests;
