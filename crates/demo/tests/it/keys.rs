//! One idempotency key is one order and one movement of money, through the whole chain.

use std::collections::HashSet;

use futures_util::future::join_all;
use proto::gateway::v1::PlaceOrderRequest;
use tonic::Code;
use tonic_types::StatusExt;

use crate::calls::{is_replayed, item, order, placed, reason};
use crate::shop::Shop;

/// The bank's ledger of an order that is paid.
const PAID_ONCE: [&str; 2] = ["authorise", "capture"];

#[tokio::test]
async fn the_same_key_and_body_are_the_same_answer_and_marked() {
    let shop = Shop::open().await;
    let request = order("tok_visa");
    let first = shop.place(request.clone()).await;
    assert!(!is_replayed(first.as_ref().unwrap().metadata()));
    for _ in 0..2 {
        let again = shop.place(request.clone()).await;
        assert_eq!(placed(&again), placed(&first));
        assert!(is_replayed(again.unwrap().metadata()));
    }
    assert_eq!(shop.movements(&placed(&first).id).await, PAID_ONCE);
    shop.close().await;
}

#[tokio::test]
async fn a_decline_is_an_answer_too() {
    let shop = Shop::open().await;
    let request = order("tok_insufficient_funds");
    let first = shop.place(request.clone()).await.unwrap_err();
    let again = shop.place(request).await.unwrap_err();
    assert!(!is_replayed(first.metadata()) && is_replayed(again.metadata()));
    assert_eq!((again.code(), again.message(), again.details()), (first.code(), first.message(), first.details()));
    shop.close().await;
}

#[tokio::test]
async fn another_body_under_a_used_key_is_refused() {
    let shop = Shop::open().await;
    let request = order("tok_visa");
    let first = shop.place(request.clone()).await;
    let others = [
        PlaceOrderRequest { items: vec![item("tea", 3)], ..request.clone() },
        PlaceOrderRequest { payment_token: "tok_declined".to_owned(), ..request.clone() },
        // What is compared comes before what is wrong with it.
        PlaceOrderRequest { items: Vec::new(), ..request.clone() },
    ];
    for other in others {
        let status = shop.place(other).await.unwrap_err();
        assert_eq!(reason(&status), "IDEMPOTENCY_KEY_REUSED");
        assert!(!is_replayed(status.metadata()));
    }
    assert_eq!(shop.movements(&placed(&first).id).await, PAID_ONCE);
    shop.close().await;
}

#[tokio::test]
async fn a_key_that_is_being_worked_on_is_told_to_come_back() {
    let shop = Shop::recorded().await;
    shop.before_bank.hold();
    let request = order("tok_visa");
    let (first, clash) = tokio::join!(shop.place(request.clone()), async {
        shop.before_bank.reached("/v1/authorisations").await;
        let clash = shop.place(request.clone()).await;
        shop.before_bank.release();
        clash.unwrap_err()
    });
    assert_eq!(clash.code(), Code::Aborted, "{clash:?}");
    assert!(clash.get_details_retry_info().unwrap().retry_delay.is_some());

    let again = shop.place(request).await;
    assert_eq!(placed(&again), placed(&first));
    assert!(is_replayed(again.unwrap().metadata()));
    shop.close().await;
}

#[tokio::test]
async fn callers_who_come_at_once_share_one_order() {
    let shop = Shop::open().await;
    let request = order("tok_visa");
    let answers = join_all((0..10).map(|_| async {
        loop {
            match shop.place(request.clone()).await {
                Err(status) if status.code() == Code::Aborted => tokio::task::yield_now().await,
                answer => break answer,
            }
        }
    }))
    .await;
    let ids: HashSet<_> = answers.iter().map(|answer| placed(answer).id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer.as_ref().unwrap().metadata())).count(), 1);
    assert_eq!(shop.movements(ids.iter().next().unwrap()).await, PAID_ONCE);
    shop.close().await;
}

#[tokio::test]
async fn a_bank_that_is_down_is_no_answer() {
    let shop = Shop::open().await;
    let request = order("tok_down");
    for _ in 0..2 {
        let status = shop.place(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(!is_replayed(status.metadata()));
    }
    shop.close().await;
}
