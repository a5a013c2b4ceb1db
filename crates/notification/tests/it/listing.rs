use crate::stage::{Stage, event};

#[tokio::test]
async fn deliveries_are_listed_newest_first_a_page_at_a_time() {
    let stage = Stage::set().await;
    let order = event().order_id;
    let mut brought = Vec::new();
    for sequence in 1..=5 {
        let mut event = event();
        (event.order_id, event.sequence) = (order.clone(), sequence);
        stage.deliver(&event).await.unwrap();
        brought.insert(0, event.event_id);
        // Of another order.
        stage.deliver(&super::stage::event()).await.unwrap();
    }
    let (mut listed, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = stage.list(&order, 2, &token).await;
        listed.extend(page.deliveries.into_iter().map(|delivery| delivery.event_id));
        (token, pages) = (page.next_page_token, pages + 1);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((listed, pages), (brought, 3));
    assert_eq!(stage.list("", 0, "").await.deliveries.len(), 10);
    assert!(stage.list(&event().order_id, 0, "").await.deliveries.is_empty());
}
