//! Orders that were begun and not ended: the service takes them up by itself.

use std::time::Duration;

use proto::payment::v1::PaymentState;
use proto::types::v1::OrderState;
use tonic::{Code, Status};

use crate::fake_payment::{FakePayment, PAYMENT_ID};
use crate::stage::{PATIENCE, Stage, is_replayed, order, placed, reason};

/// Takes up what is left at once, and what another has died over soon.
fn eager(config: &mut order::Config) {
    config.recovery_interval = Duration::from_millis(10);
    config.lease = Duration::from_millis(200);
}

/// An order whose first charge was answered by `answer`.
async fn left(
    stage: &Stage,
    payment: &mut FakePayment,
    answer: PaymentState,
) -> (proto::order::v1::PlaceOrderRequest, String) {
    let request = order("tok_visa");
    let (answer, ()) = tokio::join!(stage.place(&request), async { payment.next().await.is(answer) });
    (request, placed(answer).id)
}

#[tokio::test]
async fn an_unknown_payment_is_asked_for_until_it_is_known() {
    let (stage, mut payment) = Stage::with_fake_and(eager).await;
    let (request, id) = left(&stage, &mut payment, PaymentState::Pending).await;
    for _ in 0..2 {
        payment.next().await.fails(Status::unavailable("down"));
    }
    let charge = payment.next().await;
    assert_eq!((charge.request.order_id.as_str(), charge.request.payment_token.as_str()), (id.as_str(), "tok_visa"));
    charge.is(PaymentState::Captured);
    assert_eq!(stage.until(&id, OrderState::Paid).await.payment_id, PAYMENT_ID);
    assert_eq!(stage.history(&id).await, [OrderState::PaymentPending, OrderState::Paid]);
    // And its caller is answered as if nothing had been.
    let again = stage.place(&request).await.unwrap();
    assert!(is_replayed(again.metadata()));
    assert_eq!(again.into_inner().order.unwrap().state(), OrderState::Paid);
    payment.assert_not_asked();
}

#[tokio::test]
async fn every_try_asks_with_the_same_key() {
    let (stage, mut payment) = Stage::with_fake_and(eager).await;
    let request = order("tok_visa");
    let (_, first) = tokio::join!(stage.place(&request), async {
        let charge = payment.next().await;
        let request = charge.request.clone();
        charge.fails(Status::unavailable("down"));
        request
    });
    let second = payment.next().await;
    assert_eq!(second.request, first);
    second.declines("CARD_EXPIRED");
    stage.until(&first.order_id, OrderState::Declined).await;
    assert_eq!(reason(&stage.place(&request).await.unwrap_err()), "CARD_EXPIRED");
}

#[tokio::test]
async fn an_order_that_a_crash_left_is_finished_by_whoever_starts_next() {
    let (stage, mut payment) = Stage::with_fake_and(eager).await;
    let request = order("tok_visa");
    let first = {
        let (client, request) = (stage.client.clone(), request.clone());
        telemetry::spawn(async move { client.clone().place_order(request).await })
    };
    let charge = payment.next().await;
    let id = charge.request.order_id.clone();
    let stage = stage.crash().await;
    assert!(first.await.unwrap().is_err());
    payment.next().await.is(PaymentState::Captured);
    stage.until(&id, OrderState::Paid).await;
    drop(charge);
}

#[tokio::test]
async fn who_comes_back_too_late_writes_nothing() {
    let (stage, mut payment) = Stage::with_fake_and(eager).await;
    let request = order("tok_visa");
    let place = stage.place(&request);
    let (answer, id) = tokio::join!(place, async {
        let late = payment.next().await;
        let id = late.request.order_id.clone();
        // Its lease ends, another takes the order, and finds out how it ended.
        payment.next().await.declines("CARD_DECLINED");
        stage.until(&id, OrderState::Declined).await;
        late.is(PaymentState::Captured);
        id
    });
    assert_eq!(answer.unwrap_err().code(), Code::Aborted);
    assert_eq!(stage.get(&id).await.unwrap().state(), OrderState::Declined);
    assert_eq!(stage.history(&id).await, [OrderState::PaymentPending, OrderState::Declined]);
}

#[tokio::test]
async fn recovery_is_a_trace_of_its_own_linked_to_the_orders() {
    let (stage, mut payment) = Stage::with_fake_and(eager).await;
    let request = order("tok_visa");
    let (answer, ()) = tokio::join!(stage.place(&request), async { payment.next().await.is(PaymentState::Pending) });
    let answer = answer.unwrap();
    let placing = answer.metadata().get("x-trace-id").unwrap().to_str().unwrap().to_owned();
    let id = answer.into_inner().order.unwrap().id;
    payment.next().await.is(PaymentState::Captured);
    stage.until(&id, OrderState::Paid).await;

    let spans = async {
        loop {
            let traces = stage.spans.traces().await;
            let found = traces.into_iter().find(|trace| trace.spans().iter().any(|span| span.name == "recover_order"));
            if let Some(trace) = found {
                break trace;
            }
            tokio::task::yield_now().await;
        }
    };
    let trace = tokio::time::timeout(PATIENCE, spans).await.unwrap();
    trace.assert_tree(
        "
        order INTERNAL recover_order
          order CLIENT shop.payment.v1.PaymentService/Charge
          order PRODUCER create order.events
            order CLIENT BEGIN
            order CLIENT SELECT orders
            order CLIENT UPDATE orders
            order CLIENT UPDATE order_steps
            order CLIENT UPDATE idempotency_keys
            order CLIENT INSERT order_events SELECT order_events
            order CLIENT COMMIT
        ",
    );
    let recovery = trace.span("INTERNAL", "recover_order");
    assert_eq!(recovery.attribute("order.id"), Some(id.as_str()));
    let (linked, _) = &recovery.links[0];
    assert_eq!(*linked, placing);
}

#[tokio::test]
async fn with_the_real_services_nobody_has_to_ask_again() {
    let stage = Stage::set_and(eager).await;
    let order = placed(stage.place(&order("tok_timeout")).await);
    assert_eq!(order.state(), OrderState::PaymentPending);
    stage.until(&order.id, OrderState::Paid).await;
    assert_eq!(stage.movements(&order.id).await, ["authorise", "capture"]);
}
