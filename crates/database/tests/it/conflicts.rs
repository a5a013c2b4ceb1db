//! PostgreSQL's writes that get in each other's way.

use std::sync::atomic::{AtomicU32, Ordering};

use database::{ScopedFutureExt, Transaction};
use futures_util::future::join;
use tokio::sync::Barrier;

use crate::stage::{Stage, insert};

async fn touch(transaction: &mut Transaction, id: i64) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE notes SET text = text || '.' WHERE id = $1").bind(id);
    update.execute(transaction.executor()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_costs_one_of_the_two_another_attempt() {
    let Some(stage) = Stage::postgres().await else { return };
    for id in [1, 2] {
        stage.database.write(|transaction| async move { insert(transaction, id).await }.scope_boxed()).await.unwrap();
    }
    let (both_hold_one, attempts) = (Barrier::new(2), AtomicU32::new(0));
    let crosswise = |first, second| {
        let (both_hold_one, attempts) = (&both_hold_one, &attempts);
        stage.database.write(move |transaction| {
            async move {
                touch(transaction, first).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                    both_hold_one.wait().await;
                }
                touch(transaction, second).await
            }
            .scope_boxed()
        })
    };
    let (forwards, backwards) = join(crosswise(1, 2), crosswise(2, 1)).await;
    forwards.unwrap();
    backwards.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    assert_eq!(stage.text(1).await.unwrap(), "a note..");
}

#[tokio::test]
async fn what_cannot_be_had_again_and_again_is_an_error() {
    let Some(stage) = Stage::postgres().await else { return };
    let attempts = &AtomicU32::new(0);
    let refused = stage.database.write(|transaction| {
        async move {
            attempts.fetch_add(1, Ordering::Relaxed);
            let raise = "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$";
            sqlx::raw_sql(raise).execute(transaction.executor()).await
        }
        .scope_boxed()
    });
    assert_eq!(refused.await.unwrap_err().as_database_error().unwrap().code().unwrap(), "40001");
    assert_eq!(attempts.load(Ordering::Relaxed), 5);
}
