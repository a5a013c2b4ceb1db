//! What the service measures of its own business.

use proto::order::v1::PlaceOrderRequest;
use proto::payment::v1::PaymentState;

use crate::fake_payment::{Charge, FakePayment};
use crate::stage::{Stage, order};

/// Places `request` while `answer` answers its charge.
async fn place(stage: &Stage, payment: &mut FakePayment, request: &PlaceOrderRequest, answer: impl FnOnce(Charge)) {
    let (_, ()) = tokio::join!(stage.place(request), async { answer(payment.next().await) });
}

/// What the service has measured, once nothing is being worked on.
async fn measured(stage: &Stage) -> String {
    stage.spans.metrics().await.render("shop.")
}

#[tokio::test]
async fn an_order_counts_once_when_it_comes_to_an_end() {
    let (stage, mut payment) = Stage::with_fake().await;
    let first = order("tok_timeout");
    place(&stage, &mut payment, &first, |charge| charge.is(PaymentState::Pending)).await;
    assert_eq!(measured(&stage).await, "order shop.orders.in_flight 0\n");

    place(&stage, &mut payment, &first, |charge| charge.is(PaymentState::Captured)).await;
    // An earlier answer is no new order.
    stage.place(&first).await.unwrap();
    place(&stage, &mut payment, &order("tok_declined"), |charge| charge.declines("CARD_DECLINED")).await;
    place(&stage, &mut payment, &order("tok_visa"), |charge| charge.is(PaymentState::Captured)).await;
    let expected = "\
order shop.order.value [order.currency=EUR, order.state=DECLINED] count 1, sum 2100
order shop.order.value [order.currency=EUR, order.state=PAID] count 2, sum 4200
order shop.orders [order.state=DECLINED] 1
order shop.orders [order.state=PAID] 2
order shop.orders.in_flight 0
";
    assert_eq!(measured(&stage).await, expected);
}

#[tokio::test]
async fn an_order_is_in_flight_until_it_is_seen_through_also_without_its_caller() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let charge = tokio::select! {
        answer = stage.place(&request) => panic!("{answer:?}"),
        charge = payment.next() => charge,
    };
    // The caller has gone away.
    assert_eq!(stage.spans.metrics_now().sum("shop.orders.in_flight", &[]), 1.0);
    charge.is(PaymentState::Captured);
    let metrics = stage.spans.metrics().await;
    assert_eq!(metrics.sum("shop.orders.in_flight", &[]), 0.0);
    assert_eq!(metrics.sum("shop.orders", &[("order.state", "PAID")]), 1.0);
}

#[tokio::test]
async fn an_order_whose_work_fails_is_in_flight_no_more() {
    let (stage, mut payment) = Stage::with_fake().await;
    // Dropped without an answer, the charge fails.
    place(&stage, &mut payment, &order("tok_visa"), drop).await;
    assert_eq!(measured(&stage).await, "order shop.orders.in_flight 0\n");
}
