//! The exact trace of an order, over three real servers and the bank.

mod expected;

use std::time::Duration;

use proto::gateway::v1::GetOrderRequest;
use proto::types::v1::OrderState;
use tonic::{Code, Request};

use crate::calls::{is_replayed, order, placed, reason};
use crate::shop::Shop;
use expected::{DECLINED, DECLINED_AGAIN, GIVEN_UP, REPLAYED, RESUMED, RETRIED, UNKNOWN};

#[tokio::test]
async fn a_paid_order_is_the_tree_that_the_demo_shows() {
    let shop = Shop::open().await;
    let answer = shop.place(order("tok_visa")).await;
    assert_eq!(placed(&answer).state(), OrderState::Paid);
    shop.trace(answer.unwrap().metadata()).await.assert_tree(demo::PAID_ORDER);
    shop.close().await;
}

#[tokio::test]
async fn a_declined_order_is_a_whole_tree_and_its_replay_a_short_one() {
    let shop = Shop::open().await;
    let request = order("tok_declined");
    let refusal = shop.place(request.clone()).await.unwrap_err();
    assert_eq!(reason(&refusal), "CARD_DECLINED");
    shop.trace(refusal.metadata()).await.assert_tree(DECLINED);

    let again = shop.place(request).await.unwrap_err();
    assert!(is_replayed(again.metadata()) && reason(&again) == "CARD_DECLINED");
    shop.trace(again.metadata()).await.assert_tree(DECLINED_AGAIN);
    shop.close().await;
}

#[tokio::test]
async fn a_replay_only_looks_the_order_up() {
    let shop = Shop::open().await;
    let request = order("tok_visa");
    let first = shop.place(request.clone()).await;
    let again = shop.place(request).await;
    assert_eq!(placed(&again), placed(&first));
    let again = again.unwrap();
    assert!(is_replayed(again.metadata()));
    shop.trace(again.metadata()).await.assert_tree(REPLAYED);
    shop.close().await;
}

#[tokio::test]
async fn each_attempt_at_the_bank_is_a_span() {
    let shop = Shop::open().await;
    let answer = shop.place(order("tok_flaky")).await;
    assert_eq!(placed(&answer).state(), OrderState::Paid);
    shop.trace(answer.unwrap().metadata()).await.assert_tree(RETRIED);
    shop.close().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_a_tree_that_is_finished() {
    let shop = Shop::open_with(|settings| settings.bank.slow = Duration::from_secs(2)).await;
    // Opens every connection, so that the next order waits for nothing but the bank.
    shop.place(order("tok_visa")).await.unwrap();
    let mut request = Request::new(order("tok_slow"));
    request.set_timeout(Duration::from_secs(1));
    let status = shop.place(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);

    let trace = shop.trace(status.metadata()).await;
    let served = trace.spans().iter().find(|span| (&*span.service, &*span.kind) == ("order", "SERVER")).unwrap();
    // By its own clock or by the gateway's, whose word may come first.
    let heard = match served.attribute("rpc.status_code") {
        Some("CANCELLED") => GIVEN_UP.replace("{order}", "[rpc.status_code=CANCELLED]"),
        _ => GIVEN_UP.replace("{order}", "ERROR [rpc.status_code=DEADLINE_EXCEEDED]"),
    };
    trace.assert_tree(&heard);
    let order_id = trace.span("INTERNAL", "place_order").attribute("order.id").unwrap().to_owned();
    let kept = shop.client.clone().get_order(GetOrderRequest { order_id }).await.unwrap().into_inner();
    assert_eq!(kept.order.unwrap().state(), OrderState::Paid);
    shop.close().await;
}

#[tokio::test]
async fn an_unknown_payment_is_no_failure_and_the_same_key_resumes_it() {
    let shop = Shop::open_with(|settings| settings.payment.bank_timeout = Duration::from_secs(1)).await;
    let request = order("tok_timeout");
    let answer = shop.place(request.clone()).await;
    let pending = placed(&answer);
    assert_eq!(pending.state(), OrderState::PaymentPending);
    shop.trace(answer.unwrap().metadata()).await.assert_tree(UNKNOWN);

    let answer = shop.place(request).await;
    assert_eq!((placed(&answer).state(), placed(&answer).id), (OrderState::Paid, pending.id));
    shop.trace(answer.unwrap().metadata()).await.assert_tree(RESUMED);
    shop.close().await;
}
