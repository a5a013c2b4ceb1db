//! Pages of orders, newest first.

use proto::order::v1 as pb;
use proto::types::v1::Order;

use crate::stage::{Stage, order, placed};

async fn page(stage: &Stage, page_size: i32, page_token: &str) -> (Vec<Order>, String) {
    let request = pb::ListOrdersRequest { page_size, page_token: page_token.to_owned() };
    let page = stage.client.clone().list_orders(request).await.unwrap().into_inner();
    (page.orders, page.next_page_token)
}

/// Places so many orders and gives them, newest first.
async fn place(stage: &Stage, count: usize) -> Vec<Order> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.insert(0, placed(stage.place(&order("tok_visa")).await));
    }
    orders
}

#[tokio::test]
async fn no_orders_are_one_empty_page() {
    let (stage, _payment) = Stage::with_fake().await;
    assert_eq!(page(&stage, 0, "").await, (Vec::new(), String::new()));
}

#[tokio::test]
async fn pages_hold_every_order_once_newest_first() {
    let stage = Stage::set().await;
    let orders = place(&stage, 5).await;
    for size in 1..=6 {
        let (mut listed, mut token) = page(&stage, size, "").await;
        while !token.is_empty() {
            let (more, next) = page(&stage, size, &token).await;
            assert!(!more.is_empty() && more.len() <= size as usize);
            listed.extend(more);
            token = next;
        }
        assert_eq!(listed, orders, "pages of {size}");
    }
}

#[tokio::test]
async fn a_page_that_holds_all_that_is_left_is_the_last() {
    let stage = Stage::set().await;
    place(&stage, 2).await;
    assert_eq!(page(&stage, 2, "").await.1, "");
}

#[tokio::test]
async fn orders_that_come_in_meanwhile_move_no_page() {
    let stage = Stage::set().await;
    let orders = place(&stage, 4).await;
    let (first, token) = page(&stage, 2, "").await;
    let newer = place(&stage, 3).await;
    let (second, end) = page(&stage, 2, &token).await;
    assert_eq!([first, second].concat(), orders);
    assert_eq!(end, "");
    assert_eq!(page(&stage, 3, "").await.0, newer);
}
