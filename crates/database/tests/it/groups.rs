//! SQLite's writes that share a commit.

use database::ScopedFutureExt;
use futures_util::future::{join, join_all};
use tokio::sync::Notify;

use crate::stage::{Stage, insert};

/// Fewer than a group takes, and few enough for `join_all` to poll all of them at once.
const OTHERS: i64 = 25;

/// Writes one note that keeps the group open until `OTHERS` have asked for their turns, and then theirs. Those whose
/// numbers are in `failing` fail after their insert.
async fn together(stage: &Stage, failing: &[i64]) -> Vec<Result<(), sqlx::Error>> {
    let (is_open, all_have_asked) = (&Notify::new(), &Notify::new());
    let first = stage.database.write(|transaction| {
        async move {
            insert(transaction, 0).await?;
            is_open.notify_one();
            all_have_asked.notified().await;
            Ok::<_, sqlx::Error>(())
        }
        .scope_boxed()
    });
    let write = |id| {
        stage.database.write(move |transaction| {
            async move {
                insert(transaction, id).await?;
                if failing.contains(&id) { Err(sqlx::Error::RowNotFound) } else { Ok(()) }
            }
            .scope_boxed()
        })
    };
    let others = async {
        is_open.notified().await;
        // One poll of each asks for its turn; this comes after them.
        let open = async {
            all_have_asked.notify_one();
        };
        join(join_all((1..=OTHERS).map(write)), open).await.0
    };
    let (first, others) = join(first, others).await;
    [first].into_iter().chain(others).collect()
}

#[tokio::test]
async fn writes_that_wait_together_are_committed_together() {
    let stage = Stage::sqlite().await;
    let watched = async {
        let mut seen = vec![stage.notes().await];
        while seen.last() != Some(&(OTHERS + 1)) {
            seen.push(stage.notes().await);
        }
        seen.dedup();
        seen
    };
    let (written, seen) = join(together(&stage, &[]), watched).await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    assert_eq!(seen, [0, OTHERS + 1]);
}

#[tokio::test]
async fn one_that_fails_is_undone_alone() {
    let stage = Stage::sqlite().await;
    let written = together(&stage, &[3, 17]).await;
    let failed: Vec<_> = (0..=OTHERS).filter(|id| written[*id as usize].is_err()).collect();
    assert_eq!(failed, [3, 17]);
    assert_eq!(stage.notes().await, OTHERS - 1);
    assert_eq!((stage.text(3).await, stage.text(17).await), (None, None));
}

#[tokio::test]
async fn a_commit_that_fails_is_an_error_to_each_of_its_group() {
    let stage = Stage::sqlite().await;
    let deferred = "CREATE TABLE tags (note BIGINT REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)";
    sqlx::query(deferred).execute(stage.database.reader()).await.unwrap();
    let breaks = stage.database.write(|transaction| {
        async move { sqlx::query("INSERT INTO tags (note) VALUES (404)").execute(transaction.executor()).await }
            .scope_boxed()
    });
    let (broken, written) =
        join(breaks, stage.database.write(|transaction| async move { insert(transaction, 1).await }.scope_boxed()))
            .await;
    assert!(broken.is_err());
    // In the same group or in the next one: either way, what it was told is what is there.
    assert_eq!(stage.notes().await, i64::from(written.is_ok()));
    stage.database.write(|transaction| async move { insert(transaction, 2).await }.scope_boxed()).await.unwrap();
    assert!(stage.text(2).await.is_some());
}
