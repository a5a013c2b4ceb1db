//! A malformed request is told every field that is wrong, through the gateway.

use proto::gateway::v1::{GetOrderRequest, ListOrdersRequest, PlaceOrderRequest};
use proto::types::v1::{Customer, Item};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::calls::{item, order};
use crate::shop::Shop;

/// The fields that a refusal names, in its order. Each comes with a description.
#[track_caller]
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert!(violations.iter().all(|violation| !violation.description.is_empty()), "{violations:?}");
    violations.into_iter().map(|violation| violation.field).collect()
}

fn customer(email: &str) -> Option<Customer> {
    Some(Customer { email: email.to_owned() })
}

/// Many different articles, and no article twice.
fn items(count: usize) -> Vec<Item> {
    (0..count).map(|number| item(&format!("sku-{number}"), 1)).collect()
}

type Change = fn(&mut PlaceOrderRequest);

#[tokio::test]
async fn every_bad_field_of_an_order_is_named() {
    let cases: [(Change, &[&str]); 24] = [
        (|order| order.idempotency_key.clear(), &["idempotency_key"]),
        (|order| order.idempotency_key = "k".repeat(256), &["idempotency_key"]),
        (|order| order.items.clear(), &["items"]),
        (|order| order.items = items(101), &["items"]),
        (|order| order.items = vec![item("unicorn", 1)], &["items[0].sku"]),
        (|order| order.items = vec![item("", 1)], &["items[0].sku"]),
        (|order| order.items = vec![item("TEA", 1)], &["items[0].sku"]),
        (|order| order.items = vec![item("tea", 1), item("mug", 1), item("tea", 2)], &["items[2].sku"]),
        (|order| order.items = vec![item("tea", 1), item("mug", 0)], &["items[1].quantity"]),
        (|order| order.items = vec![item("tea", 1001)], &["items[0].quantity"]),
        (|order| order.items = vec![item("tea", -1)], &["items[0].quantity"]),
        (|order| order.items = vec![item("tea", i32::MAX)], &["items[0].quantity"]),
        (|order| order.items = vec![item("unicorn", 0)], &["items[0].sku", "items[0].quantity"]),
        (|order| order.items = vec![item("unicorn", 1), item("mug", 0)], &["items[0].sku", "items[1].quantity"]),
        (|order| order.customer = None, &["customer"]),
        (|order| order.customer = customer(""), &["customer.email"]),
        (|order| order.customer = customer("ada"), &["customer.email"]),
        (|order| order.customer = customer("ada@"), &["customer.email"]),
        (|order| order.customer = customer("ada@example.com, bob@example.com"), &["customer.email"]),
        (|order| order.customer = customer(&format!("{}@example.com", "a".repeat(250))), &["customer.email"]),
        (|order| order.payment_token.clear(), &["payment_token"]),
        (|order| order.payment_token = "t".repeat(256), &["payment_token"]),
        (|order| *order = PlaceOrderRequest::default(), &["idempotency_key", "items", "customer", "payment_token"]),
        (
            |order| {
                order.items = vec![item("tea", 0), item("unicorn", 1)];
                order.customer = customer("ada");
                order.payment_token.clear();
            },
            &["items[0].quantity", "items[1].sku", "customer.email", "payment_token"],
        ),
    ];
    let shop = Shop::open().await;
    for (change, expected) in cases {
        let mut request = order("tok_visa");
        change(&mut request);
        let status = shop.place(request.clone()).await.unwrap_err();
        assert_eq!(fields(&status), expected, "{request:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn the_largest_order_is_taken() {
    let shop = Shop::open().await;
    let longest = "k".repeat(255);
    let request = PlaceOrderRequest { idempotency_key: longest, items: vec![item("tea", 1000)], ..order("tok_visa") };
    shop.place(request).await.unwrap();
    shop.close().await;
}

#[tokio::test]
async fn a_malformed_request_costs_its_key_nothing() {
    let shop = Shop::open().await;
    let request = order("tok_visa");
    let malformed = PlaceOrderRequest { items: Vec::new(), ..request.clone() };
    shop.place(malformed).await.unwrap_err();
    shop.place(request).await.unwrap();
    shop.close().await;
}

#[tokio::test]
async fn every_bad_field_of_a_question_is_named() {
    let shop = Shop::open().await;
    for id in ["", "7", "not-a-uuid"] {
        let request = GetOrderRequest { order_id: id.to_owned() };
        assert_eq!(fields(&shop.client.clone().get_order(request).await.unwrap_err()), ["order_id"]);
    }
    let request = ListOrdersRequest { page_size: -1, page_token: "nonsense".to_owned() };
    assert_eq!(fields(&shop.client.clone().list_orders(request).await.unwrap_err()), ["page_size", "page_token"]);
    shop.close().await;
}
