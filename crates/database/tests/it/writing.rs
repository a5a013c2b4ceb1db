use database::ScopedFutureExt;
use std::future::pending;
use std::time::Duration;

use sqlx::Connection;
use tokio::time::timeout;

use crate::stage::{Stage, insert};

#[tokio::test]
async fn a_write_is_kept_whole_or_not_at_all() {
    for stage in Stage::each().await {
        stage.database.write(|transaction| async move { insert(transaction, 1).await }.scope_boxed()).await.unwrap();
        let refused = stage
            .database
            .write(|transaction| {
                async move {
                    insert(transaction, 2).await?;
                    insert(transaction, 1).await
                }
                .scope_boxed()
            })
            .await;
        assert!(refused.unwrap_err().as_database_error().unwrap().is_unique_violation());
        assert_eq!(stage.notes().await, 1);
        stage.database.write(|transaction| async move { insert(transaction, 2).await }.scope_boxed()).await.unwrap();
        assert_eq!(stage.notes().await, 2);
    }
}

#[tokio::test]
async fn a_write_that_is_dropped_halfway_is_undone_and_holds_up_nobody() {
    for stage in Stage::each().await {
        let halfway = stage.database.write(|transaction| {
            async move {
                let done: Result<(), sqlx::Error> = async {
                    insert(transaction, 1).await?;
                    pending().await
                }
                .await;
                done
            }
            .scope_boxed()
        });
        assert!(timeout(Duration::from_millis(50), halfway).await.is_err());
        stage.database.write(|transaction| async move { insert(transaction, 1).await }.scope_boxed()).await.unwrap();
        assert_eq!(stage.notes().await, 1);
    }
}

#[tokio::test]
async fn a_write_that_another_process_keeps_waiting_is_told_to_come_later() {
    let stage = Stage::sqlite().await;
    let file = format!("sqlite://{}", stage.url);
    let mut other = sqlx::sqlite::SqliteConnection::connect(&file).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = stage
        .database
        .write(|transaction| async move { insert(transaction, 1).await }.scope_boxed())
        .await
        .unwrap_err();
    assert!(database::is_unavailable(&refused), "{refused:?}");
    lock.rollback().await.unwrap();
    stage.database.write(|transaction| async move { insert(transaction, 1).await }.scope_boxed()).await.unwrap();
    assert_eq!(stage.notes().await, 1);
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_written() {
    for stage in Stage::each().await {
        let query = sqlx::query_as::<_, (String, i64, Vec<u8>, Option<String>)>(
            "SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), $3, CAST($4 AS TEXT)",
        );
        let query = query.bind("O'Brien").bind(i64::MAX).bind(vec![0_u8, 255]).bind(None::<String>);
        let row = query.fetch_one(stage.database.reader()).await.unwrap();
        assert_eq!(row, ("O'Brien".to_owned(), i64::MAX, vec![0, 255], None));
    }
}
