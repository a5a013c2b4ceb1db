//! All of it once more on PostgreSQL, but for what looks into SQLite's files.

#[test]
fn the_same_holds_on_postgresql() {
    local_postgres::again_on_postgres("postgres::", &["process::"]);
}
