//! What fails, and how it is told.

use std::io;
use std::time::Duration;

use telemetry::MessageContext;
use telemetry::testing::{SpanRecord, Spans};
use tonic::Status;

use super::{both, done};

async fn broken() -> Result<(), io::Error> {
    Err(io::Error::other("pipe broken"))
}

/// The one span of the test, which has failed.
async fn failed(spans: &Spans) -> SpanRecord {
    let traces = spans.traces().await;
    let [span] = traces[0].spans() else { panic!("{traces:?}") };
    assert!(span.is_error, "{span:?}");
    span.clone()
}

#[tokio::test]
async fn a_message_that_could_not_be_sent_is_its_senders_error() {
    let spans = Spans::new();
    both(&spans).0.send().run(broken()).await.unwrap_err();
    let span = failed(&spans).await;
    assert_eq!(span.attribute("error.type"), Some("std::io::error::Error"));
    assert_eq!(span.events, []);
}

#[tokio::test]
async fn a_message_that_could_not_be_processed_is_told_once() {
    let spans = Spans::new();
    both(&spans).1.process(&MessageContext::default()).run(broken()).await.unwrap_err();
    let span = failed(&spans).await;
    let message = ("exception.message".to_owned(), "pipe broken".to_owned());
    assert_eq!(span.events, [("exception".to_owned(), vec![message])]);
}

#[tokio::test]
async fn a_status_is_its_code() {
    let spans = Spans::new();
    let refused = async { Err::<(), _>(Status::unavailable("no connection")) };
    both(&spans).0.send().run(refused).await.unwrap_err();
    assert_eq!(failed(&spans).await.attribute("error.type"), Some("UNAVAILABLE"));
}

#[tokio::test]
async fn what_could_not_be_fetched_is_an_error_of_receiving() {
    let spans = Spans::new();
    both(&spans).1.receive(broken(), |()| panic!("nothing came")).await.unwrap_err();
    let span = failed(&spans).await;
    assert_eq!((span.kind.as_str(), span.name.as_str()), ("CLIENT", "receive order.events"));
    assert_eq!(span.attribute("messaging.batch.message_count"), None);
}

#[tokio::test]
async fn a_panic_is_told_and_goes_on() {
    let spans = Spans::new();
    let processing = both(&spans).1.process(&MessageContext::default());
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    let worker = tokio::spawn(processing.run(async { if true { panic!("the worker's own") } else { done().await } }));
    assert!(worker.await.unwrap_err().is_panic());
    let span = failed(&spans).await;
    assert_eq!(span.attribute("error.type"), Some("panic"));
    assert_eq!(span.events.len(), 1);
    assert!(span.events[0].1.contains(&("exception.message".to_owned(), "the worker's own".to_owned())));
}

#[tokio::test]
async fn a_panic_beside_the_work_is_one_of_the_operation() {
    let spans = Spans::new();
    let processing = both(&spans).1.process(&MessageContext::default());
    let thread = std::thread::spawn(move || {
        let _held = processing;
        panic!("beside the work");
    });
    thread.join().unwrap_err();
    assert_eq!(failed(&spans).await.attribute("error.type"), Some("panic"));
}

#[tokio::test]
async fn an_operation_that_is_dropped_has_failed() {
    let spans = Spans::new();
    drop(both(&spans).0.send());
    assert_eq!(failed(&spans).await.attribute("error.type"), Some("cancelled"));

    let spans = Spans::new();
    let (producer, _) = both(&spans);
    telemetry::spawn_detached(Duration::ZERO, async move { drop(producer.send()) }).await.unwrap();
    assert_eq!(failed(&spans).await.attribute("error.type"), Some("timeout"));
}

#[tokio::test]
async fn an_error_has_the_type_it_is_given() {
    let spans = Spans::new();
    both(&spans).0.send().fail("queue_full");
    assert_eq!(failed(&spans).await.attribute("error.type"), Some("queue_full"));
}
