//! The exact trace of an order, over three real servers and the bank.

use std::time::Duration;

use proto::gateway::v1::GetOrderRequest;
use proto::types::v1::OrderState;
use tonic::{Code, Request};

use crate::calls::{is_replayed, order, placed, reason};
use crate::shop::Shop;

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

const DECLINED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder ERROR [rpc.status_code=FAILED_PRECONDITION]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge ERROR [rpc.status_code=FAILED_PRECONDITION]
          payment SERVER shop.payment.v1.PaymentService/Charge [rpc.status_code=FAILED_PRECONDITION]
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments payment_steps
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations ERROR [http.response.status_code=402]
              payment CLIENT BEGIN
              payment CLIENT UPDATE payments
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";

const DECLINED_AGAIN: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder ERROR [rpc.status_code=FAILED_PRECONDITION]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=FAILED_PRECONDITION]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order CLIENT SELECT order_lines
";

const REPLAYED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=OK]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order CLIENT SELECT order_lines
";

const RETRIED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder
    order SERVER shop.order.v1.OrderService/PlaceOrder
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge
          payment SERVER shop.payment.v1.PaymentService/Charge
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments payment_steps
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations ERROR [http.response.status_code=503]
              payment CLIENT POST /v1/authorisations ERROR [http.request.resend_count=1, http.response.status_code=503]
              payment CLIENT POST /v1/authorisations [http.request.resend_count=2, http.response.status_code=201]
              payment CLIENT BEGIN
              payment CLIENT UPDATE payments
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";

/// What was begun is finished: only those who waited have given up.
const GIVEN_UP: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder ERROR [rpc.status_code=DEADLINE_EXCEEDED]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder ERROR [rpc.status_code=DEADLINE_EXCEEDED]
    order SERVER shop.order.v1.OrderService/PlaceOrder {order}
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
          payment SERVER shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments payment_steps
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations
              payment CLIENT BEGIN
              payment CLIENT UPDATE payments
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";

/// Unknown is not failed: only the question to the bank is an error.
const UNKNOWN: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder [rpc.status_code=OK]
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
    order SERVER shop.order.v1.OrderService/PlaceOrder [rpc.status_code=OK]
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT INSERT idempotency_keys
          order CLIENT INSERT orders
          order CLIENT INSERT order_lines SELECT json_each
          order CLIENT INSERT order_steps
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
          payment SERVER shop.payment.v1.PaymentService/Charge [rpc.status_code=OK]
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments payment_steps
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT INSERT payments
              payment CLIENT INSERT payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations ERROR [error.type=timeout]
        order CLIENT BEGIN
        order CLIENT UPDATE orders
        order CLIENT COMMIT
";

const RESUMED: &str = "
gateway SERVER shop.gateway.v1.ShopService/PlaceOrder
  gateway CLIENT shop.order.v1.OrderService/PlaceOrder
    order SERVER shop.order.v1.OrderService/PlaceOrder
      order INTERNAL place_order
        order CLIENT SELECT idempotency_keys orders
        order CLIENT BEGIN
        order CLIENT UPDATE orders
        order CLIENT SELECT orders order_steps order_events
        order CLIENT SELECT order_lines
        order CLIENT COMMIT
        order CLIENT shop.payment.v1.PaymentService/Charge
          payment SERVER shop.payment.v1.PaymentService/Charge
            payment INTERNAL charge
              payment CLIENT SELECT idempotency_keys payments payment_steps
              payment CLIENT BEGIN
              payment CLIENT INSERT idempotency_keys
              payment CLIENT SELECT idempotency_keys payments payment_steps
              payment CLIENT COMMIT
              payment CLIENT POST /v1/authorisations [http.response.status_code=201]
              payment CLIENT BEGIN
              payment CLIENT UPDATE payments
              payment CLIENT UPDATE payment_steps
              payment CLIENT UPDATE idempotency_keys
              payment CLIENT COMMIT
        order PRODUCER create order.events
          order CLIENT BEGIN
          order CLIENT SELECT orders
          order CLIENT UPDATE orders
          order CLIENT UPDATE order_steps
          order CLIENT UPDATE idempotency_keys
          order CLIENT INSERT order_events SELECT order_events
          order CLIENT COMMIT
";
