use super::*;

const BOTH: [DatabaseSystem; 2] = [DatabaseSystem::Sqlite, DatabaseSystem::Postgresql];

#[track_caller]
fn check(text: &str, expected: &str) {
    for system in BOTH {
        assert_eq!(summary(text, system), expected, "{system:?}: {text}");
    }
}

#[test]
fn a_summary_names_operations_and_targets_in_order() {
    check("SELECT * FROM wuser_table WHERE username = ?", "SELECT wuser_table");
    check("INSERT INTO orders (id, state) VALUES (?, 'new') RETURNING id", "INSERT orders");
    check("UPDATE orders SET state = ? WHERE id = ?", "UPDATE orders");
    check("DELETE FROM orders WHERE id = ?", "DELETE orders");
    check("select o.id from orders o join order_lines l on l.order_id = o.id", "select orders order_lines");
    check("SELECT * FROM songs, artists WHERE songs.artist_id == artists.id", "SELECT songs artists");
    check("INSERT INTO a (x, y) SELECT x, y FROM orders WHERE id = ?", "INSERT a SELECT orders");
    check("SELECT d FROM (SELECT * FROM orders o JOIN customers c ON o.c = c.id)", "SELECT SELECT orders customers");
    check("WITH old AS (SELECT id FROM orders) DELETE FROM lines", "SELECT orders DELETE lines");
    check("SELECT 1", "SELECT");
}

#[test]
fn a_summary_knows_the_words_that_only_look_like_operations() {
    check("INSERT INTO t (a) VALUES (?) ON CONFLICT (a) DO UPDATE SET a = excluded.a", "INSERT t");
    check("INSERT OR REPLACE INTO t (a) VALUES (replace(?, 'x', 'y'))", "INSERT t");
    check("UPDATE OR IGNORE t SET a = 1", "UPDATE t");
    check("SELECT a FROM t WHERE a IS NOT DISTINCT FROM b", "SELECT t");
    check("SELECT a FROM t ORDER BY x, y", "SELECT t");
    check("SELECT a FROM t, LATERAL (SELECT b FROM u) JOIN 'v' ON 1", "SELECT t SELECT u");
    check("SELECT a FROM t UNION SELECT 1, \"me\" FROM u", "SELECT t SELECT u");
    check("SELECT count(a, b) FROM t WHERE a IN (?, ?)", "SELECT t");
}

#[test]
fn a_summary_names_commands_without_a_table() {
    check("BEGIN IMMEDIATE", "BEGIN");
    check("COMMIT", "COMMIT");
    check("PRAGMA journal_mode = WAL", "PRAGMA");
    check("CREATE TABLE IF NOT EXISTS orders (id TEXT)", "CREATE TABLE orders");
    check("CREATE UNIQUE INDEX by_key ON orders (key)", "CREATE INDEX by_key");
    check("DELETE FROM a; DELETE FROM b", "DELETE a DELETE b");
    check("", "");
    check("-- nothing", "");
}

#[test]
fn a_summary_keeps_quotes_and_schemas_and_skips_comments() {
    check("/* FROM x */ SELECT * FROM \"song list\" -- FROM y\n, main.artists", "SELECT \"song list\" main.artists");
    assert_eq!(summary("SELECT 'it''s FROM x' FROM [a b].`c`", DatabaseSystem::Sqlite), "SELECT [a b].`c`");
    check(
        "SELECT * FROM \"shop\".\"orders\" o JOIN shop.lines ON o.id = lines.id",
        "SELECT \"shop\".\"orders\" shop.lines",
    );
}

#[test]
fn a_summary_knows_the_targets_of_postgresqls_statements() {
    check("SELECT id::text FROM jobs WHERE id = $1 FOR UPDATE OF jobs, j SKIP LOCKED", "SELECT jobs");
    check("SELECT a FROM t WHERE b IN ($1) FOR NO KEY UPDATE NOWAIT", "SELECT t");
    check("INSERT INTO t (a) VALUES ($1) ON CONFLICT ON CONSTRAINT c DO UPDATE SET a = $1 RETURNING a", "INSERT t");
    check("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "DELETE a INSERT b SELECT gone");
    check(
        "WITH RECURSIVE r AS MATERIALIZED (SELECT 1 UNION SELECT n FROM r) UPDATE t SET n = 1",
        "SELECT SELECT r UPDATE t",
    );
    check("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.a", "MERGE t");
    check("DELETE FROM ONLY t USING u WHERE t.id = u.id", "DELETE t");
    check("SELECT extract(year FROM placed), trim(BOTH FROM name) FROM orders", "SELECT orders");
    check("SELECT substring(x FROM (SELECT min(n) FROM cuts)) FROM orders", "SELECT SELECT cuts orders");
    check("SELECT * FROM a, LATERAL unnest($1::int[]) AS u(n), b", "SELECT a unnest");
}

#[test]
fn a_summary_knows_the_targets_of_postgresqls_commands() {
    check("COPY orders (id, state) FROM STDIN", "COPY orders");
    check("COPY (SELECT id FROM orders) TO STDOUT", "COPY SELECT orders");
    check("SELECT 1; COPY orders FROM STDIN", "SELECT COPY orders");
    check("TRUNCATE TABLE ONLY a, shop.b CASCADE", "TRUNCATE a shop.b");
    check("LOCK TABLE a IN SHARE MODE", "LOCK a");
    check("CALL settle($1, $2)", "CALL settle");
    check("REFRESH MATERIALIZED VIEW CONCURRENTLY totals", "REFRESH VIEW totals");
    check("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS by_key ON orders (key)", "CREATE INDEX by_key");
    check("CREATE INDEX ON orders (key)", "CREATE INDEX orders");
    check("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM x'", "CREATE FUNCTION f");
    check("REVOKE ALL ON orders FROM me", "REVOKE");
    check("NOTIFY paid, 'FROM x'", "NOTIFY");
}

#[test]
fn a_summary_is_cut_between_words() {
    let text = format!("SELECT * FROM {}, {}, b", "a".repeat(200), "c".repeat(60));
    check(&text, &format!("SELECT {}", "a".repeat(200)));
}

#[test]
fn odd_text_has_a_summary_too() {
    for text in ["FROM", "SELECT FROM", "a.b.", "INTO ,", "\"", "FROM a.", "é FROM ü"] {
        for system in BOTH {
            assert!(summary(text, system).len() <= text.len(), "{text}");
        }
    }
}
