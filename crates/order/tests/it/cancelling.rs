//! Orders that are cancelled, at any moment.

use std::time::Duration;

use proto::payment::v1::PaymentState;
use proto::types::v1::OrderState;
use tonic::{Code, Status};

use crate::fake_payment::PAYMENT_ID;
use crate::stage::{Stage, order, placed, reason};

const CANCELLED: [OrderState; 4] =
    [OrderState::PaymentPending, OrderState::Paid, OrderState::CancelPending, OrderState::Cancelled];

#[tokio::test]
async fn a_paid_order_is_cancelled_once_and_its_money_given_back_once() {
    let stage = Stage::set().await;
    let request = order("tok_visa");
    let paid = placed(stage.place(&request).await);
    let cancelled = stage.cancel(&paid.id).await.unwrap();
    assert_eq!((cancelled.state(), &cancelled.payment_id), (OrderState::Cancelled, &paid.payment_id));
    assert_eq!(stage.cancel(&paid.id).await.unwrap(), cancelled);
    assert_eq!(stage.get(&paid.id).await.unwrap(), cancelled);
    assert_eq!(stage.history(&paid.id).await, CANCELLED);
    assert_eq!(stage.movements(&paid.id).await, ["authorise", "capture", "refund"]);
    // Its caller was told that it is paid, and still is.
    assert_eq!(placed(stage.place(&request).await), paid);
}

#[tokio::test]
async fn an_order_that_was_declined_or_never_placed_cannot_be_cancelled() {
    let stage = Stage::set().await;
    let refused = stage.place(&order("tok_declined")).await.unwrap_err();
    let id = tonic_types::StatusExt::get_details_error_info(&refused).unwrap().metadata["order_id"].clone();
    assert_eq!(reason(&stage.cancel(&id).await.unwrap_err()), "ORDER_DECLINED");
    assert_eq!(stage.get(&id).await.unwrap().state(), OrderState::Declined);
    assert_eq!(stage.cancel("0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0aa").await.unwrap_err().code(), Code::NotFound);
    let malformed = stage.cancel("42").await.unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    assert!(malformed.message().contains("order_id"), "{malformed:?}");
}

#[tokio::test]
async fn an_order_that_is_being_paid_is_cancelled_when_that_is_known() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let (answer, id) = tokio::join!(stage.place(&request), async {
        let charge = payment.next().await;
        let id = charge.request.order_id.clone();
        assert_eq!(stage.cancel(&id).await.unwrap().state(), OrderState::CancelPending);
        let key = charge.request.idempotency_key.clone();
        charge.is(PaymentState::Captured);
        let refund = payment.next_refund().await;
        assert_eq!((&*refund.request.payment_id, &refund.request.idempotency_key), (PAYMENT_ID, &key));
        refund.is(PaymentState::Refunded);
        id
    });
    let told = placed(answer);
    assert_eq!(told.state(), OrderState::CancelPending);
    assert_eq!(stage.get(&id).await.unwrap().state(), OrderState::Cancelled);
    let history = [OrderState::PaymentPending, OrderState::CancelPending, OrderState::Cancelled];
    assert_eq!(stage.history(&id).await, history);
    assert_eq!(placed(stage.place(&request).await), told);
}

#[tokio::test]
async fn an_order_that_is_declined_while_it_is_cancelled_was_declined() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let (answer, id) = tokio::join!(stage.place(&request), async {
        let charge = payment.next().await;
        let id = charge.request.order_id.clone();
        assert_eq!(stage.cancel(&id).await.unwrap().state(), OrderState::CancelPending);
        charge.declines("CARD_DECLINED");
        id
    });
    assert_eq!(reason(&answer.unwrap_err()), "CARD_DECLINED");
    assert_eq!(stage.get(&id).await.unwrap().state(), OrderState::Declined);
    payment.assert_not_asked();
}

#[tokio::test]
async fn a_refund_that_does_not_come_off_is_asked_for_again() {
    let (stage, mut payment) =
        Stage::with_fake_and(|config| config.recovery_interval = Duration::from_millis(10)).await;
    let request = order("tok_visa");
    let (answer, ()) = tokio::join!(stage.place(&request), async { payment.next().await.is(PaymentState::Captured) });
    let id = placed(answer).id;
    let (answer, key) = tokio::join!(stage.cancel(&id), async {
        let refund = payment.next_refund().await;
        let key = refund.request.idempotency_key.clone();
        refund.fails(Status::unavailable("down"));
        key
    });
    assert_eq!(answer.unwrap().state(), OrderState::CancelPending);
    payment.next_refund().await.is(PaymentState::RefundPending);
    let refund = payment.next_refund().await;
    assert_eq!(refund.request.idempotency_key, key);
    refund.is(PaymentState::Refunded);
    stage.until(&id, OrderState::Cancelled).await;
    assert_eq!(stage.history(&id).await, CANCELLED);
    payment.assert_not_asked();
}

#[tokio::test]
async fn whenever_it_is_cancelled_the_money_is_back() {
    let stage = Stage::set_and(|config| config.recovery_interval = Duration::from_millis(10)).await;
    for step in 0..20 {
        let request = order("tok_visa");
        let newest = async {
            tokio::time::sleep(Duration::from_micros(step * 500)).await;
            let page = proto::order::v1::ListOrdersRequest { page_size: 1, page_token: String::new() };
            let newest = stage.client.clone().list_orders(page).await.unwrap().into_inner().orders.pop();
            match newest {
                Some(order) => Some((order.id.clone(), stage.cancel(&order.id).await)),
                None => None,
            }
        };
        let (answer, cancelled) = tokio::join!(stage.place(&request), newest);
        let id = placed(answer).id;
        stage.cancel(&id).await.unwrap();
        stage.until(&id, OrderState::Cancelled).await;
        assert_eq!(stage.movements(&id).await, ["authorise", "capture", "refund"], "{cancelled:?}");
    }
}
