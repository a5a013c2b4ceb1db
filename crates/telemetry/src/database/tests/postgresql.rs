use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use local_postgres::Server;
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, Row as _, SqlSafeStr, Statement as _};

use super::*;

const INSERT: &str = "INSERT INTO orders (id, state) VALUES ($1, $2)";

impl Bench<Postgres> {
    /// In a schema of its own; `None` where there is no PostgreSQL.
    async fn new() -> Option<Self> {
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let schema = format!("bench_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        let options = Server::shared()?.options().options([("search_path", &schema)]);
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        let tables = format!(
            "CREATE SCHEMA {schema}; CREATE TABLE orders (id BIGINT PRIMARY KEY, state TEXT NOT NULL);
             CREATE TABLE lines (of BIGINT REFERENCES orders DEFERRABLE INITIALLY DEFERRED)"
        );
        sqlx::raw_sql(AssertSqlSafe(tables)).execute(&pool).await.unwrap();
        Some(Self::over(pool, DatabaseSystem::Postgresql, None))
    }

    async fn insert(&self, id: i64) -> Result<(), sqlx::Error> {
        let insert = sqlx::query(INSERT).bind(id).bind("secret");
        self.run(insert.execute(self.db.on(&self.pool))).await.map(drop)
    }

    async fn first(&self, text: &str) -> PgRow {
        let query = sqlx::query(AssertSqlSafe(text.to_owned()));
        self.run(query.fetch_one(self.db.on(&self.pool))).await.unwrap_or_else(|error| panic!("{text}: {error}"))
    }
}

#[tokio::test]
async fn a_statement_is_one_client_span_with_its_server_and_never_its_values() {
    let Some(mut bench) = Bench::<Postgres>::new().await else { return };
    bench.db = bench.db.server("db.internal", 5432);
    bench.insert(7).await.unwrap();
    let mut span = bench.span().await;
    assert_eq!((span.kind.as_str(), span.name.as_str()), ("CLIENT", "INSERT orders"));
    assert!(!span.is_error);
    let expected = [
        ("db.namespace", "order"),
        ("db.query.summary", "INSERT orders"),
        ("db.query.text", INSERT),
        ("db.system.name", "postgresql"),
        ("server.address", "db.internal"),
    ];
    span.attributes.sort();
    assert_eq!(span.attributes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn each_way_to_run_a_statement_makes_exactly_one_span() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
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
            let locked = "SELECT id FROM orders WHERE id = $1 FOR UPDATE SKIP LOCKED";
            let ids = sqlx::query_scalar::<_, i64>(locked).bind(9_i64).fetch_all(db.on(pool)).await.unwrap();
            assert!(ids.is_empty());
            let gone = sqlx::query("DELETE FROM orders WHERE id = $1 RETURNING state").bind(2_i64);
            gone.fetch_one(db.on(pool)).await.unwrap();
            let upsert = sqlx::query("INSERT INTO orders VALUES ($1, '') ON CONFLICT (id) DO UPDATE SET state = 'me'");
            upsert.bind(1_i64).execute(db.on(pool)).await.unwrap();
            // One with the simple protocol and one that is prepared, of no values both.
            db.on(pool).fetch_many("DELETE FROM orders").count().await;
            sqlx::query("DELETE FROM orders").execute(db.on(pool)).await.unwrap();
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
          order CLIENT SELECT orders [db.response.returned_rows=0]
          order CLIENT DELETE orders [db.response.returned_rows=1]
          order CLIENT INSERT orders
          order CLIENT DELETE orders
          order CLIENT DELETE orders
        ",
    );
}

#[tokio::test]
async fn a_prepared_statement_is_a_span_with_each_run() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    bench
        .run(async {
            let mut connection = bench.pool.acquire().await.unwrap();
            let insert = bench.db.on(&mut *connection).prepare(INSERT.into_sql_str()).await.unwrap();
            for id in [1_i64, 2] {
                let insert = insert.query().bind(id).bind("secret");
                insert.execute(bench.db.on(&mut *connection)).await.unwrap();
            }
        })
        .await;
    bench.trace().await.assert_tree(
        "
        order INTERNAL root
          order CLIENT INSERT orders [db.query.text=INSERT INTO orders (id, state) VALUES ($1, $2)]
          order CLIENT INSERT orders [db.query.text=INSERT INTO orders (id, state) VALUES ($1, $2)]
        ",
    );
}

#[tokio::test]
async fn a_text_of_many_statements_is_one_span_with_the_code_of_the_one_that_failed() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    let both = "INSERT INTO orders VALUES (1, 'me'); UPDATE orders SET id = 2";
    let wrong = "SELECT 1; SELECT 1 / (id - 2) FROM orders; DELETE FROM orders";
    bench
        .run(async {
            assert_eq!(sqlx::raw_sql(both).execute_many(bench.db.on(&bench.pool)).count().await, 2);
            sqlx::raw_sql(wrong).execute(bench.db.on(&bench.pool)).await.unwrap_err();
        })
        .await;
    let trace = bench.trace().await;
    let done = trace.span("CLIENT", "INSERT orders UPDATE orders");
    assert_eq!(done.attribute("db.query.text"), Some("INSERT INTO orders VALUES (?, ?); UPDATE orders SET id = ?"));
    let failed = trace.span("CLIENT", "SELECT SELECT orders DELETE orders");
    assert!(failed.is_error);
    // division_by_zero
    assert_eq!(failed.attribute("db.response.status_code"), Some("22012"));
    assert_eq!(failed.attribute("db.response.returned_rows"), Some("1"));
}

#[tokio::test]
async fn a_failed_statement_has_its_sqlstate_and_nothing_of_the_message() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    sqlx::query(INSERT).bind(4929_i64).bind("x").execute(&bench.pool).await.unwrap();
    let error = bench.insert(4929).await.unwrap_err();
    assert!(error.as_database_error().unwrap().is_unique_violation());
    let span = bench.span().await;
    assert!(span.is_error);
    assert_eq!(span.attribute("db.response.status_code"), Some("23505"));
    assert_eq!(span.attribute("error.type"), Some("23505"));
    assert!(!format!("{span:?}").contains("4929"), "{span:?}");
}

#[tokio::test]
async fn a_statement_that_the_server_cancels_and_a_server_that_refuses_have_their_codes() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    let lost = PgPoolOptions::new().connect_lazy_with(Server::shared().unwrap().options().database("lost"));
    bench
        .run(async {
            let slow = "SET statement_timeout = 1; SELECT pg_sleep(600)";
            sqlx::raw_sql(slow).execute(bench.db.on(&bench.pool)).await.unwrap_err();
            sqlx::query("SELECT").execute(bench.db.on(&lost)).await.unwrap_err();
        })
        .await;
    let trace = bench.trace().await;
    // query_canceled, invalid_catalog_name
    assert_eq!(trace.span("CLIENT", "SET SELECT").attribute("error.type"), Some("57014"));
    assert_eq!(trace.span("CLIENT", "SELECT").attribute("error.type"), Some("3D000"));
}

#[tokio::test]
async fn rows_that_nobody_reads_on_end_the_span_without_failure() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    bench
        .run(async {
            let mut rows = sqlx::query("SELECT generate_series(1, 9)").fetch(bench.db.on(&bench.pool));
            rows.next().await.unwrap().unwrap();
        })
        .await;
    let span = bench.span().await;
    assert_eq!(span.attribute("error.type"), None);
    assert_eq!(span.attribute("db.response.returned_rows"), Some("1"));
}

#[tokio::test]
async fn a_transaction_is_begun_and_ended_as_spans() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    bench
        .run(async {
            let mut transaction = bench.db.begin(&bench.pool).await.unwrap();
            sqlx::query(INSERT).bind(1_i64).bind("x").execute(transaction.executor()).await.unwrap();
            transaction.commit().await.unwrap();
            let mut undone = bench.db.begin(&bench.pool).await.unwrap();
            sqlx::query("DELETE FROM orders").execute(undone.executor()).await.unwrap();
            undone.rollback().await.unwrap();
            let mut broken = bench.db.begin(&bench.pool).await.unwrap();
            sqlx::query("INSERT INTO lines VALUES (9)").execute(broken.executor()).await.unwrap();
            broken.commit().await.unwrap_err();
            let mut dropped = bench.db.begin(&bench.pool).await.unwrap();
            sqlx::query("DELETE FROM orders").execute(dropped.executor()).await.unwrap();
        })
        .await;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&bench.pool).await.unwrap();
    assert_eq!(count, 1);
    // foreign_key_violation
    bench.trace().await.assert_tree(
        "
        order INTERNAL root
          order CLIENT BEGIN
          order CLIENT INSERT orders
          order CLIENT COMMIT
          order CLIENT BEGIN
          order CLIENT DELETE orders
          order CLIENT ROLLBACK
          order CLIENT BEGIN
          order CLIENT INSERT lines
          order CLIENT COMMIT ERROR [error.type=23503]
          order CLIENT BEGIN
          order CLIENT DELETE orders
        ",
    );
}

#[tokio::test]
async fn what_the_server_takes_for_a_value_is_left_out() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    let literals = [
        "'it''s s3cret'",
        "E'it\\'s s3cret'",
        "e'\\\\''s3cret'",
        "$$it's s3cret$$",
        "$ü€$ $$ s3cret' $ü€$",
        "U&'\\0027s3cret'",
        "N's3cret'",
        "'it' \n 's s3cret'",
        "E'it'\n'\\'s s3cret'",
        "'s3cret'::text",
        "text 's3cret'",
        "ARRAY['a]', 's3cret']::text",
        "'s3cret' /* ' /* ' */ */",
        "'a' --'\r || 's3cret'",
    ];
    for literal in literals {
        let value: String = bench.first(&format!("SELECT {literal}")).await.get(0);
        assert!(value.contains("s3cret"), "{literal}: {value}");
    }
    for number in ["4929", "49_29", "0x1341", "4929e0", "4929::int8"] {
        bench.run(sqlx::query(AssertSqlSafe(format!("SELECT {number}"))).execute(bench.db.on(&bench.pool))).await.ok();
    }
    let trace = bench.trace().await;
    let shown = format!("{:?}", trace.spans().iter().map(|span| (&span.name, &span.attributes)).collect::<Vec<_>>());
    for secret in ["s3cret", "4929", "49_29", "1341"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[tokio::test]
async fn values_are_left_out_whatever_a_backslash_means_to_the_server() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    let mut connection = bench.pool.acquire().await.unwrap();
    for (setting, text) in [("on", r"SELECT '\' || 's3cret'"), ("off", r"SELECT '\' s3cret'")] {
        let set = format!("SET standard_conforming_strings = {setting}");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *connection).await.unwrap();
        let value = sqlx::query_scalar::<_, String>(text).fetch_one(bench.db.on(&mut *connection));
        assert!(bench.run(value).await.unwrap().ends_with("s3cret"));
    }
    let trace = bench.trace().await;
    let texts: Vec<_> = trace.spans().iter().filter_map(|span| span.attribute("db.query.text")).collect();
    assert_eq!(texts, ["SELECT ?", "SELECT ?"]);
}

#[tokio::test]
async fn a_built_query_keeps_its_values_bound_and_its_names_in_quotes() {
    let Some(bench) = Bench::<Postgres>::new().await else { return };
    let mut query = QueryBuilder::<Postgres>::new("SELECT \"id\" FROM \"orders\" WHERE state = ");
    query.push_bind("secret").push(" LIMIT 5");
    bench.run(query.build().fetch_all(bench.db.on(&bench.pool))).await.unwrap();
    let span = bench.span().await;
    assert_eq!(span.attribute("db.query.text"), Some("SELECT \"id\" FROM \"orders\" WHERE state = $1 LIMIT ?"));
    assert_eq!(span.name, "SELECT \"orders\"");
}
