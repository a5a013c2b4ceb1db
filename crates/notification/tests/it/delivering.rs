//! Each event is taken over once.

use futures_util::future::join_all;
use proto::notification::v1::TraceContext;

use crate::stage::{Stage, event};

#[tokio::test]
async fn an_event_is_taken_over_once_however_often_it_is_brought() {
    let stage = Stage::set().await;
    let event = event();
    let answers = join_all((0..20).map(|_| stage.deliver(&event))).await;
    let known = answers.into_iter().filter(|answer| answer.as_ref().unwrap().get_ref().known).count();
    assert_eq!(known, 19);
    let metrics = stage.spans.metrics().await;
    let counted = ["false", "true"].map(|known| metrics.sum("shop.deliveries", &[("delivery.known", known)]));
    assert_eq!(counted, [1.0, 19.0]);

    let stage = stage.restart().await;
    assert!(stage.deliver(&event).await.unwrap().into_inner().known);
    let listed = stage.list(&event.order_id, 0, "").await.deliveries;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].event_id, listed[0].event_time), (&event.event_id, event.time));
}

#[tokio::test]
async fn taking_over_is_a_consumer_span_linked_to_where_the_event_was_written() {
    let stage = Stage::set().await;
    let mut event = event();
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    event.trace = Some(TraceContext { traceparent: format!("00-{trace}-{span}-01"), tracestate: String::new() });
    let answer = stage.deliver(&event).await.unwrap();
    let id = answer.metadata().get("x-trace-id").unwrap().to_str().unwrap();
    let trace_of_call = stage.spans.trace(id).await;
    trace_of_call.assert_tree(
        "
        notification SERVER shop.notification.v1.NotificationService/Deliver
          notification CONSUMER process order.events
            notification CLIENT BEGIN
            notification CLIENT INSERT deliveries
            notification CLIENT COMMIT
        ",
    );
    let processed = trace_of_call.span("CONSUMER", "process order.events");
    assert_eq!(processed.links, [(trace.to_owned(), span.to_owned())]);
    assert_eq!(processed.attribute("messaging.message.id"), Some(event.event_id.as_str()));
    assert_eq!(processed.attribute("order.id"), Some(event.order_id.as_str()));
}

#[tokio::test]
async fn the_customers_address_is_kept_nowhere() {
    let stage = Stage::set().await;
    stage.deliver(&event()).await.unwrap();
    stage.spans.assert_no_secrets(&["canary.mail"]).await;
    let stage = stage.restart().await;
    for file in std::fs::read_dir(stage.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"canary.mail"));
    }
}
