//! Spans and events of application code stand where they belong: under the call that caused them.

use std::time::Duration;

use opentelemetry::trace::{Tracer, TracerProvider};
use telemetry::testing::{Spans, Trace};
use telemetry::{Deadline, Service, TrustTrace};
use tonic::{Request, Status};

use crate::kinds::{Handler, client, handler, messages, serve};

/// The trace of one call that `handler` serves.
async fn trace_of(handler: Handler) -> Trace {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), handler).await;
    let _ = client(&telemetry, address).call("Unary", "").await;
    spans.traces().await.remove(0)
}

#[tracing::instrument(name = "use_case", skip_all)]
async fn use_case() {
    tracing::info!(order.id = "o-1", "order.validated");
    telemetry::set_attribute("order.item_count", 3);
    telemetry::spawn(step("spawned")).await.unwrap();
}

#[tracing::instrument(skip_all, fields(otel.name = name))]
async fn step(name: &'static str) {
    tracing::info!("step.done");
}

#[tokio::test]
async fn instrumented_functions_events_and_spawned_tasks_nest_under_the_call() {
    let trace = trace_of(handler(|_| async {
        use_case().await;
        Ok(messages([Ok(String::new())]))
    }))
    .await;
    trace.assert_tree(
        "
        test CLIENT test.v1.Kinds/Unary
          test SERVER test.v1.Kinds/Unary
            test INTERNAL use_case [order.item_count=3]
              test INTERNAL spawned
    ",
    );
    let (name, attributes) = &trace.span("INTERNAL", "use_case").events[0];
    assert_eq!(name, "order.validated");
    assert!(attributes.contains(&("order.id".to_owned(), "o-1".to_owned())), "{attributes:?}");
    assert_eq!(trace.span("INTERNAL", "spawned").events[0].0, "step.done");
}

#[tokio::test]
async fn a_trace_is_the_same_snapshot_from_run_to_run() {
    let trace = trace_of(handler(|_| async {
        use_case().await;
        Ok(messages([Ok(String::new())]))
    }))
    .await;
    insta::assert_snapshot!(trace.render(&["rpc.status_code"]), @r"
    test CLIENT test.v1.Kinds/Unary [rpc.status_code=OK]
      test SERVER test.v1.Kinds/Unary [rpc.status_code=OK]
        test INTERNAL use_case
          test INTERNAL spawned
    ");
}

#[tokio::test]
async fn spans_of_a_librarys_own_tracer_stand_below_the_call() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let tracer = telemetry.tracer_provider().tracer("library");
    let handler = handler(move |_| {
        tracer.in_span("look_up", |_| {});
        async { Ok(messages([Ok(String::new())])) }
    });
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), handler).await;
    client(&telemetry, address).call("Unary", "").await.unwrap();
    spans.traces().await.remove(0).assert_tree(
        "
        test CLIENT test.v1.Kinds/Unary
          test SERVER test.v1.Kinds/Unary
            test INTERNAL look_up
    ",
    );
}

#[tracing::instrument(err)]
async fn failing() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("disk full"))
}

#[tokio::test]
async fn what_instrument_says_of_an_error_is_an_exception() {
    let trace = trace_of(handler(|_| async {
        let _ = failing().await;
        Ok(messages([Ok(String::new())]))
    }))
    .await;
    let (name, attributes) = &trace.span("INTERNAL", "failing").events[0];
    assert_eq!(name, "exception");
    assert!(attributes.contains(&("exception.message".to_owned(), "disk full".to_owned())), "{attributes:?}");
}

#[tokio::test]
async fn an_event_in_the_handler_itself_is_the_calls_and_an_error_event_is_no_status() {
    let trace = trace_of(handler(|_| async {
        tracing::error!(attempt = 2_u64, "looked everywhere");
        Err(Status::not_found("nothing here"))
    }))
    .await;
    let server = trace.span("SERVER", "test.v1.Kinds/Unary");
    assert!(!server.is_error);
    assert_eq!(server.events[0].0, "looked everywhere");
    assert!(server.events[0].1.contains(&("attempt".to_owned(), "2".to_owned())));
}

#[tokio::test]
async fn an_error_behind_an_answer_is_told_once_with_its_chain() {
    let trace = trace_of(handler(|_| async {
        let cause = std::io::Error::other("disk full");
        let mut status = Status::internal("internal error");
        status.set_source(std::sync::Arc::new(cause));
        Err(status)
    }))
    .await;
    let server = trace.span("SERVER", "test.v1.Kinds/Unary");
    assert!(server.is_error);
    let message = ("exception.message".to_owned(), "disk full".to_owned());
    assert_eq!(server.events, [("exception".to_owned(), vec![message])]);
}

#[tokio::test]
async fn a_span_that_is_filtered_out_breaks_no_chain() {
    #[tracing::instrument(level = "debug")]
    async fn hidden() {
        step("below").await;
    }
    let trace = trace_of(handler(|_| async {
        hidden().await;
        Ok(messages([Ok(String::new())]))
    }))
    .await;
    trace.assert_tree(
        "
        test CLIENT test.v1.Kinds/Unary
          test SERVER test.v1.Kinds/Unary
            test INTERNAL below
    ",
    );
}

#[tracing::instrument(skip_all)]
async fn detaching(left: tokio::sync::oneshot::Sender<Duration>) {
    telemetry::spawn_detached(Duration::from_secs(60), async move {
        step("detached").await;
        let _ = left.send(Deadline::current().unwrap().remaining());
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn detached_work_keeps_its_parent_but_not_the_callers_deadline() {
    let (send, left) = tokio::sync::oneshot::channel();
    let send = std::sync::Mutex::new(Some(send));
    let trace = trace_of(handler(move |_: Request<String>| {
        let send = send.lock().unwrap().take().unwrap();
        async {
            detaching(send).await;
            Ok(messages([Ok(String::new())]))
        }
    }))
    .await;
    trace.assert_tree(
        "
        test CLIENT test.v1.Kinds/Unary
          test SERVER test.v1.Kinds/Unary
            test INTERNAL detaching
              test INTERNAL detached
    ",
    );
    assert!(left.await.unwrap() > Duration::from_secs(10), "the default deadline of a call is 10 s");
}
