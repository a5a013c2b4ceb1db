use std::time::Duration;

use futures_util::StreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};

use super::*;
use crate::deadline::Deadline;
use crate::scope::Place;

const INSERT: &str = "INSERT INTO orders (id, state) VALUES (?, ?)";

impl Bench<Sqlite> {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("order.db"))
            .create_if_missing(true)
            .busy_timeout(Duration::ZERO);
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        sqlx::raw_sql("PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT NOT NULL)")
            .execute(&pool)
            .await
            .unwrap();
        Self::over(pool, DatabaseSystem::Sqlite, Some(folder))
    }

    async fn insert(&self, id: i64) -> Result<(), sqlx::Error> {
        let insert = sqlx::query(INSERT).bind(id).bind("secret");
        self.run(insert.execute(self.db.on(&self.pool))).await.map(drop)
    }
}

#[tokio::test]
async fn a_statement_is_one_client_span_with_its_text_and_never_its_values() {
    let bench = Bench::new().await;
    bench.insert(7).await.unwrap();
    let mut span = bench.span().await;
    assert_eq!((span.kind.as_str(), span.name.as_str()), ("CLIENT", "INSERT orders"));
    assert!(!span.is_error);
    let expected = [
        ("db.namespace", "order"),
        ("db.query.summary", "INSERT orders"),
        ("db.query.text", INSERT),
        ("db.system.name", "sqlite"),
    ];
    span.attributes.sort();
    assert_eq!(span.attributes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn each_way_to_run_a_statement_makes_exactly_one_span() {
    let bench = Bench::new().await;
    bench.insert(1).await.unwrap();
    bench.insert(2).await.unwrap();
    let (db, pool) = (&bench.db, &bench.pool);
    let select = || sqlx::query("SELECT id FROM orders");
    bench
        .run(async {
            assert_eq!(select().fetch(db.on(pool)).count().await, 2);
            assert_eq!(select().fetch_all(db.on(pool)).await.unwrap().len(), 2);
            select().fetch_one(db.on(pool)).await.unwrap();
            select().fetch_optional(db.on(pool)).await.unwrap().unwrap();
            let count: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(db.on(pool)).await.unwrap();
            assert_eq!(count, 2);
            let both = "UPDATE orders SET id = 3 WHERE id = 1; UPDATE orders SET id = 4 WHERE id = 2";
            assert_eq!(sqlx::raw_sql(both).execute_many(db.on(pool)).count().await, 2);
            db.on(pool).fetch_many("DELETE FROM orders").count().await;
        })
        .await;
    bench.trace().await.assert_tree(
        "
        order INTERNAL root
          order CLIENT INSERT orders
          order CLIENT INSERT orders
          order CLIENT SELECT orders [db.response.returned_rows=2]
          order CLIENT SELECT orders [db.response.returned_rows=2]
          order CLIENT SELECT orders [db.response.returned_rows=1]
          order CLIENT SELECT orders [db.response.returned_rows=1]
          order CLIENT SELECT orders [db.response.returned_rows=1]
          order CLIENT UPDATE orders UPDATE orders
          order CLIENT DELETE orders
        ",
    );
}

#[tokio::test]
async fn a_failed_statement_has_the_databases_extended_code() {
    let bench = Bench::new().await;
    sqlx::query(INSERT).bind(7).bind("x").execute(&bench.pool).await.unwrap();
    bench.insert(7).await.unwrap_err();
    let span = bench.span().await;
    assert!(span.is_error);
    // SQLITE_CONSTRAINT_PRIMARYKEY
    assert_eq!(span.attribute("db.response.status_code"), Some("1555"));
    assert_eq!(span.attribute("error.type"), Some("1555"));
}

#[tokio::test]
async fn a_failure_outside_the_database_is_named_by_its_kind() {
    let bench = Bench::new().await;
    bench.pool.close().await;
    bench.insert(7).await.unwrap_err();
    let span = bench.span().await;
    assert!(span.is_error);
    assert_eq!(span.attribute("error.type"), Some("PoolClosed"));
    assert_eq!(span.attribute("db.response.status_code"), None);
}

#[tokio::test]
async fn no_row_is_no_failure_of_the_statement() {
    let bench = Bench::new().await;
    let select = sqlx::query("SELECT id FROM orders WHERE id = ?").bind(9);
    let error = bench.run(select.fetch_one(bench.db.on(&bench.pool))).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::RowNotFound));
    let span = bench.span().await;
    assert!(!span.is_error);
    assert_eq!(span.attribute("error.type"), None);
    assert_eq!(span.attribute("db.response.returned_rows"), Some("0"));
}

#[tokio::test]
async fn rows_that_nobody_reads_on_end_the_span_without_failure() {
    let bench = Bench::new().await;
    bench.insert(1).await.unwrap();
    bench.insert(2).await.unwrap();
    bench
        .run(async {
            let mut rows = sqlx::query("SELECT id FROM orders").fetch(bench.db.on(&bench.pool));
            rows.next().await.unwrap().unwrap();
        })
        .await;
    let trace = bench.trace().await;
    let span = trace.span("CLIENT", "SELECT orders");
    assert!(!span.is_error);
    assert_eq!(span.attribute("error.type"), None);
    assert_eq!(span.attribute("db.response.returned_rows"), Some("1"));
}

#[tokio::test]
async fn a_statement_that_is_given_up_is_cancelled_or_late() {
    for (deadline, error_type, is_error) in
        [(None, "cancelled", false), (Some(Deadline::after(Duration::ZERO)), "timeout", true)]
    {
        let bench = Bench::new().await;
        let place = Place::new(bench.root.clone(), deadline);
        let _all = (bench.pool.acquire().await.unwrap(), bench.pool.acquire().await.unwrap());
        // Polled once and dropped, waiting for a connection.
        assert!(futures_util::FutureExt::now_or_never(place.hold(bench.insert(7))).is_none());
        let span = bench.span().await;
        assert_eq!(span.is_error, is_error);
        assert_eq!(span.attribute("error.type"), Some(error_type));
    }
}

#[tokio::test]
async fn statements_outside_a_recorded_trace_make_no_span_and_are_measured() {
    let mut bench = Bench::new().await;
    sqlx::query(INSERT).bind(1).bind("x").execute(bench.db.on(&bench.pool)).await.unwrap();
    let off = crate::Environment::from_iter([("OTEL_TRACES_SAMPLER", "always_off")]);
    let unsampled = bench.spans.service_in(Service::new("order", "0.0.0"), &off);
    let recorded = std::mem::replace(&mut bench.root, Context::new().with_span(unsampled.tracer().start("unsampled")));
    bench.insert(2).await.unwrap();
    let migration = sqlx::raw_sql("DELETE FROM orders").execute(bench.db.on(&bench.pool));
    bench.run(migration).await.unwrap();
    bench.root = recorded;
    bench.root.span().end();
    bench.spans.traces().await[0].assert_tree("order INTERNAL root");

    let metrics = bench.spans.metrics().await;
    assert_eq!(metrics.count(DURATION, &[("db.query.summary", "INSERT orders"), ("db.namespace", "order")]), 2);
    assert_eq!(metrics.count(DURATION, &[("db.query.summary", "DELETE orders"), ("db.system.name", "sqlite")]), 1);
    assert_eq!(metrics.boundaries(DURATION), [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]);
}

#[tokio::test]
async fn a_transaction_is_begun_and_committed_as_spans() {
    let bench = Bench::new().await;
    bench
        .run(async {
            let mut transaction = bench.db.begin(&bench.pool).await.unwrap();
            sqlx::query(INSERT).bind(1).bind("x").execute(transaction.executor()).await.unwrap();
            transaction.commit().await.unwrap();
            let undone = bench.db.begin(&bench.pool).await.unwrap();
            undone.rollback().await.unwrap();
        })
        .await;
    bench.trace().await.assert_tree(
        "
        order INTERNAL root
          order CLIENT BEGIN [db.query.text=BEGIN IMMEDIATE]
          order CLIENT INSERT orders [db.query.text=INSERT INTO orders (id, state) VALUES (?, ?)]
          order CLIENT COMMIT [db.query.text=COMMIT]
          order CLIENT BEGIN [db.query.text=BEGIN IMMEDIATE]
          order CLIENT ROLLBACK [db.query.text=ROLLBACK]
        ",
    );
}

#[tokio::test]
async fn a_transaction_that_is_dropped_is_rolled_back() {
    let bench = Bench::new().await;
    let mut transaction = bench.db.begin(&bench.pool).await.unwrap();
    sqlx::query(INSERT).bind(1).bind("x").execute(transaction.executor()).await.unwrap();
    drop(transaction);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&bench.pool).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_transaction_holds_the_write_lock_from_its_beginning() {
    let bench = Bench::new().await;
    let _first = bench.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    bench.run(bench.db.begin(&bench.pool)).await.unwrap_err();
    let span = bench.span().await;
    assert!(span.is_error);
    // SQLITE_BUSY
    assert_eq!((span.name.as_str(), span.attribute("error.type")), ("BEGIN", Some("5")));
}

#[tokio::test]
async fn values_in_the_text_of_a_statement_are_left_out() {
    let bench = Bench::new().await;
    let dynamic = AssertSqlSafe("SELECT id FROM orders WHERE state = 'me@example.com' AND id IN (1, 2)".to_owned());
    bench.run(sqlx::query(dynamic).fetch_all(bench.db.on(&bench.pool))).await.unwrap();
    let span = bench.span().await;
    assert_eq!(span.attribute("db.query.text"), Some("SELECT id FROM orders WHERE state = ? AND id IN (?, ?)"));
}

#[tokio::test]
async fn a_built_query_keeps_its_values_bound() {
    let bench = Bench::new().await;
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM orders WHERE state = ");
    query.push_bind("secret").push(" LIMIT 5");
    bench.run(query.build().fetch_all(bench.db.on(&bench.pool))).await.unwrap();
    let span = bench.span().await;
    assert_eq!(span.attribute("db.query.text"), Some("SELECT id FROM orders WHERE state = ? LIMIT ?"));
}

#[tokio::test]
async fn a_server_is_named_by_spans_and_durations() {
    let mut bench = Bench::new().await;
    bench.insert(1).await.unwrap();
    bench.db = bench.db.server("replaced", 1).server("db.internal", 5433);
    bench.insert(2).await.unwrap();
    bench.db = bench.db.server("/run/db", None);
    bench.insert(3).await.unwrap();
    bench.trace().await.assert_tree(
        "
        order INTERNAL root
          order CLIENT INSERT orders
          order CLIENT INSERT orders [server.address=db.internal, server.port=5433]
          order CLIENT INSERT orders [server.address=/run/db]
        ",
    );
}
