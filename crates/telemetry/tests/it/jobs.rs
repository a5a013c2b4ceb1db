//! Work that no call has asked for.

use std::time::Duration;

use telemetry::testing::Spans;
use telemetry::{Deadline, Service, set_attribute};
use tracing::instrument;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
#[error("the order is gone")]
struct Gone;

#[instrument(skip_all)]
async fn finish(outcome: Result<(), Gone>) -> Result<Duration, Gone> {
    set_attribute("order.id", "7");
    outcome.map(|()| Deadline::current().unwrap().remaining())
}

#[tokio::test]
async fn a_job_is_a_trace_of_its_own_linked_to_its_causes() {
    let spans = Spans::new();
    let orders = spans.service(Service::new("order", "0.0.0"));
    let placing = orders.producer("outbox", "order.events").create();
    let placed = placing.in_context(async { orders.message_context() }).await;
    assert_eq!(placed, placing.message_context());
    // Whatever runs around it: a job belongs to nobody's call.
    let job = orders.job("recover_order", [&placed], LIMIT, finish(Ok(())));
    let left = placing.in_context(job).await.unwrap();
    placing.succeed();
    assert!(left <= LIMIT && left > LIMIT / 2, "{left:?}");

    let traces = spans.traces().await;
    assert_eq!(traces.len(), 2);
    let [origin, job] = ["create order.events", "recover_order"].map(|name| {
        let mut all = traces.iter().flat_map(|trace| trace.spans());
        all.find(|span| span.name == name).unwrap()
    });
    assert_eq!(job.links, [(origin.trace_id.clone(), origin.span_id.clone())]);
    spans.trace(&job.trace_id).await.assert_tree(
        "
        order INTERNAL recover_order
          order INTERNAL finish
        ",
    );
}

#[tokio::test]
async fn a_job_that_fails_says_so_once() {
    let spans = Spans::new();
    let orders = spans.service(Service::new("order", "0.0.0"));
    orders.job("recover_order", [], LIMIT, finish(Err(Gone))).await.unwrap_err();
    let trace = spans.assert_one_trace().await;
    let job = trace.span("INTERNAL", "recover_order");
    assert!(job.is_error && job.links.is_empty());
    assert!(job.attribute("error.type").unwrap().ends_with("Gone"), "{job:?}");
    let exceptions = job.events.iter().filter(|(name, _)| name == "exception");
    assert_eq!(exceptions.count(), 1, "{job:?}");
}
