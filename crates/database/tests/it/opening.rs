use database::{Database, OpenError, ScopedFutureExt};
use futures_util::future::join_all;
use sqlx::AssertSqlSafe;

use crate::stage::{Stage, insert, newer, schema};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_together_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("new.db").display());
    let server = local_postgres::Server::shared();
    let urls = match server {
        Some(server) => vec![file, server.new_database().await],
        None => vec![file],
    };
    let telemetry = Stage::sqlite().await.telemetry;
    for url in urls {
        let url = url.parse().unwrap();
        let opened = join_all((0..8).map(|_| Database::open(&url, schema(), "notes", &telemetry))).await;
        for database in opened {
            database.unwrap().ping().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_process_of_the_version_before_runs_on_newer_tables() {
    for stage in Stage::each().await {
        let upgraded = Database::open(&stage.url, newer(), "notes", &stage.telemetry).await.unwrap();
        let older = Database::open(&stage.url, schema(), "notes", &stage.telemetry).await.unwrap();
        older.write(|transaction| async move { insert(transaction, 1).await }.scope_boxed()).await.unwrap();
        let read = sqlx::query_scalar::<_, Option<String>>("SELECT author FROM notes");
        assert_eq!(read.fetch_one(upgraded.reader()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_backup_that_was_made_in_mid_work_is_a_whole_database() {
    let stage = Stage::sqlite().await;
    stage.database.write(|transaction| async move { insert(transaction, 1).await }.scope_boxed()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("backup.db");
    let backup = sqlx::query("VACUUM INTO $1").bind(copy.to_str().unwrap());
    backup.execute(stage.database.reader()).await.unwrap();
    stage.database.write(|transaction| async move { insert(transaction, 2).await }.scope_boxed()).await.unwrap();

    let url = format!("sqlite://{}", copy.display()).parse().unwrap();
    let restored = Database::open(&url, schema(), "notes", &stage.telemetry).await.unwrap();
    assert_eq!(Stage { database: restored, ..stage }.notes().await, 1);
}

#[tokio::test]
async fn sqlite_keeps_what_it_promises_and_needs_no_folder_for_temporary_files() {
    let stage = Stage::sqlite().await;
    // FULL, on, MEMORY.
    let settings = [("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1), ("temp_store", 2)];
    for (name, expected) in settings {
        let pragma = || sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!("PRAGMA {name}")));
        let reading = pragma().fetch_one(stage.database.reader()).await.unwrap();
        let write = stage.database.write(|transaction| {
            let pragma = pragma();
            async move { pragma.fetch_one(transaction.executor()).await }.scope_boxed()
        });
        assert_eq!((reading, write.await.unwrap()), (expected, expected), "{name}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_an_error_that_names_it() {
    let Stage { telemetry, .. } = Stage::sqlite().await;
    let nowhere = "sqlite:///nowhere/at/all.db".parse().unwrap();
    let error = Database::open(&nowhere, schema(), "notes", &telemetry).await.err().unwrap();
    assert!(matches!(error, OpenError::Open(..)) && error.to_string().contains("/nowhere/at/all.db"), "{error}");
}

#[tokio::test]
async fn a_closed_database_takes_nothing_more_and_has_kept_all() {
    for stage in Stage::each().await {
        stage.database.write(|transaction| async move { insert(transaction, 1).await }.scope_boxed()).await.unwrap();
        stage.database.close().await;
        let refused = stage
            .database
            .write(|transaction| async move { insert(transaction, 2).await }.scope_boxed())
            .await
            .unwrap_err();
        assert!(database::is_unavailable(&refused), "{refused:?}");
        let again = Database::open(&stage.url, schema(), "notes", &stage.telemetry).await.unwrap();
        assert_eq!(Stage { database: again, ..stage }.notes().await, 1);
    }
}
