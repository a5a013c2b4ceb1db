//! Orders that were begun and not ended: the same key takes them up, under the payment key they began with.

use std::time::Duration;

use proto::payment::v1::PaymentState;
use proto::types::v1::OrderState;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::fake_payment::{Charge, FakePayment, PAYMENT_ID};
use crate::stage::{Stage, is_replayed, order, placed, reason};

/// Places `request` while `answer` answers its charge. Gives the order service's answer and the charge's payment key.
async fn place(
    stage: &Stage,
    payment: &mut FakePayment,
    request: &proto::order::v1::PlaceOrderRequest,
    answer: impl FnOnce(Charge),
) -> (Result<tonic::Response<proto::order::v1::PlaceOrderResponse>, Status>, String) {
    tokio::join!(stage.place(request), async {
        let charge = payment.next().await;
        let key = charge.request.idempotency_key.clone();
        answer(charge);
        key
    })
}

#[tokio::test]
async fn a_pending_order_is_resumed_to_its_end() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_timeout");
    let (answer, key) = place(&stage, &mut payment, &request, |charge| charge.is(PaymentState::Pending)).await;
    let pending = placed(answer);
    assert_eq!((pending.state(), pending.payment_id.as_str()), (OrderState::PaymentPending, PAYMENT_ID));
    assert_eq!(stage.get(&pending.id).await.unwrap(), pending);

    let (answer, same_key) = place(&stage, &mut payment, &request, |charge| charge.is(PaymentState::Captured)).await;
    let answer = answer.unwrap();
    assert!(!is_replayed(answer.metadata()));
    let paid = answer.into_inner().order.unwrap();
    assert_eq!((paid.state(), &paid.id), (OrderState::Paid, &pending.id));
    assert_eq!(paid.create_time, pending.create_time);
    assert_eq!(same_key, key);

    assert!(is_replayed(stage.place(&request).await.unwrap().metadata()));
    payment.assert_not_asked();
}

#[tokio::test]
async fn a_pending_order_may_end_declined() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_timeout");
    let (answer, _) = place(&stage, &mut payment, &request, |charge| charge.is(PaymentState::Pending)).await;
    let id = placed(answer).id;
    let (answer, _) = place(&stage, &mut payment, &request, |charge| charge.declines("CARD_EXPIRED")).await;
    assert_eq!(reason(&answer.unwrap_err()), "CARD_EXPIRED");
    let order = stage.get(&id).await.unwrap();
    assert_eq!((order.state(), order.payment_id.as_str()), (OrderState::Declined, PAYMENT_ID));
}

#[tokio::test]
async fn an_unavailable_payment_service_leaves_an_order_to_resume() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_flaky");
    let unavailable = |charge: Charge| {
        let details = ErrorDetails::with_retry_info(Some(std::time::Duration::from_secs(3)));
        charge.fails(Status::with_error_details(Code::Unavailable, "the bank's address is 10.0.0.1", details));
    };
    let (answer, key) = place(&stage, &mut payment, &request, unavailable).await;
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the payment cannot be completed now"));
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay.unwrap().as_secs(), 3);

    let (answer, same_key) = place(&stage, &mut payment, &request, |charge| charge.is(PaymentState::Captured)).await;
    assert_eq!(placed(answer).state(), OrderState::Paid);
    assert_eq!(same_key, key);
}

#[tokio::test]
async fn a_charge_that_is_in_use_elsewhere_leaves_an_order_to_resume() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let (answer, key) = place(&stage, &mut payment, &request, |charge| charge.fails(Status::aborted("in use"))).await;
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(status.get_details_retry_info().is_some());

    let (answer, same_key) = place(&stage, &mut payment, &request, |charge| charge.is(PaymentState::Captured)).await;
    assert_eq!(placed(answer).state(), OrderState::Paid);
    assert_eq!(same_key, key);
}

#[tokio::test]
async fn an_order_that_a_crash_left_is_resumed() {
    let (stage, mut payment) = Stage::with_fake_and(|config| config.lease = Duration::from_millis(100)).await;
    let request = order("tok_visa");
    let first = {
        let (client, request) = (stage.client.clone(), request.clone());
        telemetry::spawn(async move { client.clone().place_order(request).await })
    };
    let charge = payment.next().await;
    let begun = charge.request.clone();

    let stage = stage.crash().await;
    assert!(first.await.unwrap().is_err());
    // Until its lease has ended, the order belongs to the one that is gone.
    let resume = async {
        loop {
            match stage.place(&request).await {
                Err(status) if status.code() == Code::Aborted => {}
                answer => break answer,
            }
        }
    };
    let (answer, resumed) = tokio::join!(resume, async {
        let charge = payment.next().await;
        let request = charge.request.clone();
        charge.is(PaymentState::Captured);
        request
    });
    assert_eq!(placed(answer).state(), OrderState::Paid);
    assert_eq!(resumed, begun);
    drop(charge);
}

#[tokio::test]
async fn with_the_real_services_a_bank_that_was_down_is_paid_later() {
    let stage = Stage::set().await;
    let request = order("tok_flaky");
    let order = loop {
        match stage.place(&request).await {
            Err(status) if status.code() == Code::Unavailable => {}
            answer => break placed(answer),
        }
    };
    assert_eq!(order.state(), OrderState::Paid);
    assert_eq!(stage.movements(&order.id).await, ["authorise", "capture"]);
}
