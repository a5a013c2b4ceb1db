//! An error is told once, by one log record and one span event, however many layers it passes.

use std::error::Error;
use std::io;
use std::sync::Arc;

use telemetry::testing::{Spans, Trace};
use telemetry::{Environment, Service, TrustTrace, record_exception};
use tonic::Status;

use crate::kinds::{Handler, client, handler, messages, serve};

#[derive(Debug, thiserror::Error)]
#[error("order not stored")]
struct NotStored(#[source] io::Error);

/// What a test sees of one call: its trace, and its log records.
async fn told(variables: &[(&str, &str)], handler: Handler) -> (Trace, Vec<String>) {
    let environment: Environment = variables.iter().copied().collect();
    let spans = Spans::new();
    let telemetry = spans.service_in(Service::new("test", "0"), &environment);
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), handler).await;
    let _ = client(&telemetry, address).call("Unary", "go").await;
    (spans.assert_one_trace().await, spans.logs())
}

/// The name, type and message of each exception event.
fn exceptions(trace: &Trace) -> Vec<(&str, Option<&str>, &str)> {
    let spans = trace.spans().iter();
    let events = spans.flat_map(|span| span.events.iter().map(move |(_, attributes)| (&span.name, attributes)));
    let value = |attributes: &'_ [(String, String)], wanted: &str| attributes.iter().position(|(key, _)| key == wanted);
    events
        .map(|(span, attributes)| {
            let text = |wanted| value(attributes, wanted).map(|index| attributes[index].1.as_str());
            (span.as_str(), text("exception.type"), text("exception.message").unwrap())
        })
        .collect()
}

#[tracing::instrument(skip_all)]
async fn write() -> Result<(), io::Error> {
    Err(io::Error::other("disk full")).inspect_err(|error| record_exception(error))
}

#[tracing::instrument(skip_all)]
async fn store() -> Result<(), NotStored> {
    write().await.map_err(NotStored).inspect_err(|error| record_exception(error))
}

/// A handler whose error is told in each of its layers, also in a task of its own.
fn layered() -> Handler {
    handler(|_| async {
        let stored = telemetry::spawn_detached(std::time::Duration::from_secs(60), store()).await.unwrap();
        let error: Box<dyn Error + Send + Sync> = stored.unwrap_err().into();
        record_exception(&*error);
        let mut status = Status::internal("internal error");
        status.set_source(Arc::from(error));
        Err(status)
    })
}

#[tokio::test]
async fn an_error_is_told_where_it_is_told_first_and_nowhere_else() {
    let (trace, logs) = told(&[], layered()).await;
    assert_eq!(exceptions(&trace), [("write", Some("std::io::error::Error"), "disk full")]);
    let record =
        "ERROR telemetry::exception disk full [exception.type=std::io::error::Error, exception.message=disk full]";
    assert_eq!(logs, [record]);
}

#[tokio::test]
async fn an_error_is_told_with_its_sources_and_a_boxed_one_without_its_type() {
    let (trace, logs) = told(
        &[],
        handler(|_| async {
            let error: Box<dyn Error + Send + Sync> = NotStored(io::Error::other("disk full")).into();
            record_exception(&*error);
            record_exception(&NotStored(io::Error::other("no permission")));
            Ok(messages([Ok("queued".to_owned())]))
        }),
    )
    .await;
    let server = "test.v1.Kinds/Unary";
    let kind = Some(std::any::type_name::<NotStored>());
    let expected = [(server, None, "order not stored: disk full"), (server, kind, "order not stored: no permission")];
    assert_eq!(exceptions(&trace), expected);
    assert_eq!(logs.len(), 2);
    assert!(!trace.span("SERVER", server).is_error, "what the handler answers decides");
}

#[tokio::test]
async fn a_panic_of_a_task_is_told_with_its_message() {
    let (trace, logs) = told(
        &[],
        handler(|_| async {
            let panicking = async { panic!("the task's own") };
            telemetry::spawn::<_>(panicking).await.map_err(|_| Status::internal("internal error"))
        }),
    )
    .await;
    assert_eq!(exceptions(&trace), [("test.v1.Kinds/Unary", Some("panic"), "the task's own")]);
    assert_eq!(logs.len(), 1);
}

#[tokio::test]
async fn exceptions_are_log_records_only_where_that_is_asked_for() {
    let name = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN";
    for (value, events) in [("logs", 0), ("logs/dup", 1), ("", 1), ("none", 1)] {
        let (trace, logs) = told(&[(name, value)], layered()).await;
        assert_eq!((exceptions(&trace).len(), logs.len()), (events, 1), "{value}");
    }
}
