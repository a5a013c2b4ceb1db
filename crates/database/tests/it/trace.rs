use database::ScopedFutureExt;
use futures_util::future::join;
use telemetry::DatabaseSystem;

use crate::stage::{Stage, insert};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_told_in_the_trace_of_its_caller() {
    for stage in Stage::each().await {
        // Two of them at the same time: on SQLite they may share a commit, and each tells of it.
        let sending = stage.telemetry.producer("test", "notes");
        let send = |id| {
            sending.send().run(
                stage.database.write(move |transaction| async move { insert(transaction, id).await }.scope_boxed()),
            )
        };
        let (first, second) = join(send(1), send(2)).await;
        first.and(second).unwrap();
        let system = match stage.database.system() {
            DatabaseSystem::Sqlite => "sqlite",
            _ => "postgresql",
        };
        for trace in stage.spans.traces().await {
            trace.assert_tree(
                "
                notes PRODUCER send notes
                  notes CLIENT BEGIN
                  notes CLIENT INSERT notes
                  notes CLIENT COMMIT
                ",
            );
            assert_eq!(trace.span("CLIENT", "COMMIT").attribute("db.system.name"), Some(system));
        }
    }
}
