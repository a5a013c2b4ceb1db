//! What an order outlives.

use proto::gateway::v1::GetOrderRequest;
use proto::types::v1::OrderState;

use crate::calls::{is_replayed, order, placed};
use crate::shop::Shop;

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_finished_order() {
    let shop = Shop::recorded().await;
    shop.before_bank.hold();
    let request = order("tok_visa");
    tokio::select! {
        answer = shop.place(request.clone()) => panic!("{answer:?}"),
        () = shop.before_bank.reached("/v1/authorisations") => {}
    }
    shop.before_bank.release();

    let [trace] = &shop.traces_of_calls().await[..] else { panic!("more than one call") };
    let order_id = trace.span("INTERNAL", "place_order").attribute("order.id").unwrap().to_owned();
    let kept = shop.client.clone().get_order(GetOrderRequest { order_id: order_id.clone() }).await.unwrap();
    assert_eq!(kept.into_inner().order.unwrap().state(), OrderState::Paid);
    assert_eq!(shop.movements(&order_id).await, ["authorise", "capture"]);
    let again = shop.place(request).await;
    assert_eq!(placed(&again).id, order_id);
    assert!(is_replayed(again.unwrap().metadata()));
    shop.close().await;
}
