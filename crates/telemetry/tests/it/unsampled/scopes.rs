//! The deadline and the errors told: of one call, wherever it is worked for.

use std::io;
use std::time::Duration;

use telemetry::{Deadline, record_exception};
use tokio_stream::StreamExt;

use super::*;
use crate::kinds::Messages;

fn hours_left() -> Option<u64> {
    Deadline::current().map(|deadline| deadline.remaining().as_secs().div_ceil(3600))
}

#[tokio::test]
async fn the_deadline_is_known_in_the_handler_its_tasks_and_its_body_and_nowhere_else() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[OFF]);
    let known: Arc<Mutex<Vec<_>>> = Arc::default();
    let seen = Arc::clone(&known);
    let note = move |place: &'static str| seen.lock().unwrap().push((place, hours_left()));
    let address = serve(
        telemetry.rpc_server(),
        handler(move |_| {
            let note = note.clone();
            async move {
                note("handler");
                let noting = note.clone();
                telemetry::spawn(async move { noting("task") }).await.unwrap();
                let noting = note.clone();
                let detached = async move {
                    noting("detached");
                    telemetry::spawn(async move { noting("below") }).await.unwrap();
                };
                telemetry::spawn_detached(Duration::from_secs(3600 * 5), detached).await.unwrap();
                note("handler");
                let body = tokio_stream::once(()).map(move |()| {
                    note("body");
                    Ok(String::new())
                });
                Ok(Box::pin(body) as Messages)
            }
        }),
    )
    .await;
    plain(address).send("ServerStream", request(&[("grpc-timeout", "2H")])).await.unwrap().end.unwrap();
    let (own, detached) = (Some(2), Some(5));
    let expected =
        [("handler", own), ("task", own), ("detached", detached), ("below", detached), ("handler", own), ("body", own)];
    assert_eq!(*known.lock().unwrap(), expected);
    assert_eq!(hours_left(), None);
}

/// How often each error is told in what `work` does for a call.
async fn told(work: impl Future<Output = ()>) -> Vec<String> {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    serve_here(&telemetry, "01", work).await;
    spans.logs()
}

fn tell(message: &str) {
    record_exception(&io::Error::other(message.to_owned()));
}

#[tokio::test]
async fn an_error_is_told_once_by_all_tasks_of_a_call_and_again_by_the_next() {
    let work = || async {
        telemetry::spawn(async {
            tell("first");
            telemetry::spawn(async { tell("second") }).await.unwrap();
        })
        .await
        .unwrap();
        tell("first");
        tell("second");
        telemetry::spawn_detached(Duration::from_secs(60), async { tell("first") }).await.unwrap();
    };
    assert_eq!(
        told(async {
            tokio::join!(work(), work());
        })
        .await
        .len(),
        2
    );
    assert_eq!(told(work()).await.len(), 2);
}

#[tokio::test]
async fn calls_that_take_turns_tell_of_an_error_each() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    let work = || async {
        tokio::task::yield_now().await;
        tell("disk full");
        tokio::task::yield_now().await;
        tell("disk full");
    };
    tokio::join!(serve_here(&telemetry, "01", work()), serve_here(&telemetry, "01", work()));
    assert_eq!(spans.logs().len(), 2);
    serve_here(&telemetry, "01", async {
        tell("disk full");
        serve_here(&telemetry, "01", work()).await;
        tell("disk full");
    })
    .await;
    assert_eq!(spans.logs().len(), 4);
}

#[tokio::test]
async fn an_error_told_for_the_messages_of_an_outgoing_call_is_told_for_the_call() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    let next = serve(telemetry.rpc_server(), handler(|_| async { Ok(messages([Ok(String::new())])) })).await;
    let mut next = client(&telemetry, next);
    serve_here(&telemetry, "01", async {
        let sent = tokio_stream::once(()).map(|()| {
            tell("disk full");
            assert!(Deadline::current().is_some());
            String::new()
        });
        next.inner.ready().await.unwrap();
        let path = "/test.v1.Kinds/ClientStream".parse().unwrap();
        let codec = tonic_prost::ProstCodec::<String, String>::default();
        next.inner.client_streaming(Request::new(sent), path, codec).await.unwrap();
        tell("disk full");
    })
    .await;
    assert_eq!(spans.logs().len(), 1);
}

#[tokio::test]
async fn an_error_is_told_once_in_all_the_work_of_a_message() {
    let spans = Spans::new();
    let consumer = service(&spans, "test", &[]).consumer("outbox", "orders");
    for _ in 0..2 {
        let processing = consumer.process_all([]);
        processing.in_context(async { tell("disk full") }).await;
        processing.in_context(async { telemetry::spawn(async { tell("disk full") }).await.unwrap() }).await;
        processing.run(async { Err::<(), _>(io::Error::other("disk full")) }).await.unwrap_err();
    }
    assert_eq!(spans.logs().len(), 2);
}
