//! One key, one order, one charge, one answer.

use std::collections::HashSet;

use futures_util::future::join_all;
use proto::payment::v1::PaymentState;
use proto::types::v1::OrderState;
use tonic::Code;
use tonic_types::StatusExt;

use crate::stage::{Stage, is_replayed, item, order, placed, reason};

#[tokio::test]
async fn a_repeated_order_is_answered_the_same_and_marked() {
    let stage = Stage::set().await;
    let request = order("tok_visa");
    let first = stage.place(&request).await.unwrap();
    assert!(!is_replayed(first.metadata()));
    for _ in 0..5 {
        let again = stage.place(&request).await.unwrap();
        assert!(is_replayed(again.metadata()));
        assert_eq!(again.get_ref(), first.get_ref());
    }
    let id = first.into_inner().order.unwrap().id;
    assert_eq!(stage.movements(&id).await, ["authorise", "capture"]);
}

#[tokio::test]
async fn a_repeated_refusal_is_answered_the_same_and_marked() {
    let stage = Stage::set().await;
    let request = order("tok_insufficient_funds");
    let first = stage.place(&request).await.unwrap_err();
    let again = stage.place(&request).await.unwrap_err();
    assert!(!is_replayed(first.metadata()) && is_replayed(again.metadata()));
    assert_eq!(reason(&again), "INSUFFICIENT_FUNDS");
    assert_eq!((again.message(), again.details()), (first.message(), first.details()));
}

#[tokio::test]
async fn another_body_under_a_known_key_declines() {
    let stage = Stage::set().await;
    let first = order("tok_visa");
    let id = placed(stage.place(&first).await).id;

    let mut changes = vec![first.clone(); 4];
    changes[0].items[0].quantity = 3;
    changes[1].payment_token = "tok_declined".to_owned();
    changes[2].customer.as_mut().unwrap().email = "bob@example.com".to_owned();
    // Its content is malformed too, but the key comes first.
    changes[3].items = vec![item("gold", 0)];
    for changed in changes {
        let status = stage.place(&changed).await.unwrap_err();
        assert_eq!(reason(&status), "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(stage.movements(&id).await, ["authorise", "capture"]);
}

#[tokio::test]
async fn a_key_in_use_is_told_at_once() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let first = {
        let (client, request) = (stage.client.clone(), request.clone());
        telemetry::spawn(async move { client.clone().place_order(request).await })
    };
    let charge = payment.next().await;

    let status = stage.place(&request).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    assert!(!is_replayed(status.metadata()));
    let mut other = request.clone();
    other.items[0].quantity = 7;
    assert_eq!(reason(&stage.place(&other).await.unwrap_err()), "IDEMPOTENCY_KEY_REUSED");

    charge.is(PaymentState::Captured);
    assert_eq!(placed(first.await.unwrap()).state(), OrderState::Paid);
    assert!(is_replayed(stage.place(&request).await.unwrap().metadata()));
    payment.assert_not_asked();
}

#[tokio::test]
async fn twenty_calls_at_once_are_one_order_and_one_charge() {
    let stage = Stage::set().await;
    let request = order("tok_visa");
    let answers = join_all((0..20).map(|_| async {
        loop {
            match stage.place(&request).await {
                Err(status) if status.code() == Code::Aborted => tokio::task::yield_now().await,
                answer => break answer.unwrap(),
            }
        }
    }))
    .await;

    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer.metadata())).count(), 1);
    let ids: HashSet<_> = answers.into_iter().map(|answer| answer.into_inner().order.unwrap().id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(stage.movements(ids.iter().next().unwrap()).await, ["authorise", "capture"]);
}

#[tokio::test]
async fn two_keys_are_two_orders() {
    let stage = Stage::set().await;
    let (first, second) = (order("tok_visa"), order("tok_visa"));
    let (first, second) = tokio::join!(stage.place(&first), stage.place(&second));
    assert_ne!(placed(first).id, placed(second).id);
}

#[tokio::test]
async fn a_restart_forgets_no_answer() {
    let stage = Stage::set().await;
    let (paid, declined) = (order("tok_visa"), order("tok_declined"));
    let order = placed(stage.place(&paid).await);
    let refused = stage.place(&declined).await.unwrap_err();

    let stage = stage.restart().await;
    let again = stage.place(&paid).await.unwrap();
    assert!(is_replayed(again.metadata()));
    assert_eq!(again.into_inner().order.unwrap(), order);
    let again = stage.place(&declined).await.unwrap_err();
    assert!(is_replayed(again.metadata()));
    assert_eq!(again.details(), refused.details());
}
