//! What an order leaves in its trace.

use crate::stage::{Stage, order};

const ATTRIBUTES: [&str; 4] = ["order.id", "order.item_count", "order.total_minor", "order.currency"];

#[tokio::test]
async fn a_paid_order_describes_itself_on_its_use_case() {
    let stage = Stage::set().await;
    let answer = stage.place(&order("tok_visa")).await.unwrap();
    let trace = stage.trace(answer.metadata()).await;
    let span = trace.span("INTERNAL", "place_order");
    let id = answer.get_ref().order.as_ref().unwrap().id.as_str();
    let said = ATTRIBUTES.map(|key| span.attribute(key).unwrap());
    assert_eq!(said, [id, "2", "2100", "EUR"]);
    assert!(span.events.iter().any(|(name, _)| name == "order.validated"), "{:?}", span.events);
}

#[tokio::test]
async fn a_replay_describes_the_order_and_validates_nothing() {
    let stage = Stage::set().await;
    let request = order("tok_visa");
    let first = stage.place(&request).await.unwrap();
    let again = stage.place(&request).await.unwrap();
    let trace = stage.trace(again.metadata()).await;
    let span = trace.span("INTERNAL", "place_order");
    let id = first.get_ref().order.as_ref().unwrap().id.as_str();
    assert_eq!(span.attribute("order.id"), Some(id));
    assert!(span.events.is_empty(), "{:?}", span.events);
}
