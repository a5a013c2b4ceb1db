//! What the order service answers reaches the caller.

use proto::gateway::v1 as pb;
use proto::order::v1 as upstream;
use proto::types::v1::{Money, Order, OrderLine, OrderState};
use tonic::Response;

use crate::fake_order::{Asked, FakeOrder, history, with_headers};
use crate::stage::{Stage, order};

fn an_order() -> Order {
    let price = Some(Money { minor_units: 450, currency_code: "EUR".to_owned() });
    let total = Some(Money { minor_units: 900, currency_code: "EUR".to_owned() });
    Order {
        id: "0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0aa".to_owned(),
        state: OrderState::Paid.into(),
        lines: vec![OrderLine { sku: "tea".to_owned(), quantity: 2, unit_price: price, total: total.clone() }],
        total,
        ..Order::default()
    }
}

#[tokio::test]
async fn calls_and_answers_pass_through_whole() {
    let upstream = FakeOrder::start(|| Ok(Response::new(vec![an_order()]))).await;
    let mut client = Stage::before(upstream.address, |_| {}).await.client;

    let placed = client.place_order(order()).await.unwrap().into_inner();
    let cancelled = client.cancel_order(pb::CancelOrderRequest { order_id: "an-id".to_owned() }).await;
    let cancelled = cancelled.unwrap().into_inner();
    let found = client.get_order(pb::GetOrderRequest { order_id: "an-id".to_owned() }).await.unwrap().into_inner();
    let page = pb::ListOrdersRequest { page_size: 7, page_token: "a-page".to_owned() };
    let listed = client.list_orders(page).await.unwrap().into_inner();

    assert_eq!((placed.order, found.order), (Some(an_order()), Some(an_order())));
    assert_eq!((cancelled.order, found.history), (Some(an_order()), history()));
    assert_eq!((listed.orders, listed.next_page_token.as_str()), (vec![an_order()], "the-next-page"));
    let pb::PlaceOrderRequest { idempotency_key, items, customer, payment_token } = order();
    let asked = [
        Asked::Place(upstream::PlaceOrderRequest { idempotency_key, items, customer, payment_token }),
        Asked::Cancel(upstream::CancelOrderRequest { order_id: "an-id".to_owned() }),
        Asked::Get(upstream::GetOrderRequest { order_id: "an-id".to_owned() }),
        Asked::List(upstream::ListOrdersRequest { page_size: 7, page_token: "a-page".to_owned() }),
    ];
    assert_eq!(upstream.asked(), asked);
}

#[tokio::test]
async fn of_the_headers_only_the_mark_of_a_replay_passes() {
    let stage = Stage::with(|| Ok(with_headers(vec![an_order()]))).await;
    let answer = stage.place().await.unwrap();
    assert_eq!(answer.metadata().get("idempotent-replayed").unwrap(), "true");
    assert!(answer.metadata().get("x-internal-host").is_none());
}

#[tokio::test]
async fn an_answer_that_is_no_replay_is_not_marked() {
    let stage = Stage::with(|| Ok(Response::new(vec![an_order()]))).await;
    assert!(stage.place().await.unwrap().metadata().get("idempotent-replayed").is_none());
}

#[tokio::test]
async fn a_page_of_the_most_and_longest_orders_passes() {
    let largest = || {
        let line = OrderLine { sku: "s".repeat(32), quantity: 1_000, ..an_order().lines.remove(0) };
        vec![Order { lines: vec![line; 100], ..an_order() }; 200]
    };
    let stage = Stage::with(move || Ok(Response::new(largest()))).await;
    let page = stage.client.clone().list_orders(pb::ListOrdersRequest::default()).await.unwrap().into_inner();
    assert_eq!(page.orders.len(), 200);
}

#[tokio::test]
async fn a_request_of_more_than_64_kib_is_refused() {
    let upstream = FakeOrder::start(|| Ok(Response::new(Vec::new()))).await;
    let stage = Stage::before(upstream.address, |_| {}).await;
    let request = pb::GetOrderRequest { order_id: "x".repeat(64 * 1024) };
    let status = stage.client.clone().get_order(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert!(upstream.asked().is_empty());
}
