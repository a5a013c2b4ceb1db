//! Malformed requests: every violation at once, each naming its field, and nothing done.

use proto::order::v1 as pb;
use proto::types::v1::Customer;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::stage::{Stage, item, order, placed};

const SKUS: [&str; 12] =
    ["tea", "coffee", "cocoa", "honey", "biscuits", "sugar", "mug", "teapot", "kettle", "strainer", "grinder", "tray"];

/// The fields that a refusal names.
#[track_caller]
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_details_bad_request().unwrap();
    details.field_violations.into_iter().map(|violation| violation.field).collect()
}

fn customer(email: &str) -> Option<Customer> {
    Some(Customer { email: email.to_owned() })
}

#[tokio::test]
async fn every_violation_names_its_field() {
    let (stage, mut payment) = Stage::with_fake().await;
    type Change = fn(&mut pb::PlaceOrderRequest);
    let cases: &[(&[&str], Change)] = &[
        (&["idempotency_key"], |order| order.idempotency_key.clear()),
        (&["idempotency_key"], |order| order.idempotency_key = "k".repeat(256)),
        (&["idempotency_key"], |order| order.idempotency_key = "a\nkey".to_owned()),
        (&["items"], |order| order.items.clear()),
        (&["items"], |order| order.items = vec![item("tea", 1); 101]),
        (&["items[0].sku"], |order| order.items[0].sku.clear()),
        (&["items[0].sku"], |order| order.items[0].sku = "gold".to_owned()),
        (&["items[0].sku"], |order| order.items[0].sku = "TEA".to_owned()),
        (&["items[1].sku"], |order| order.items[1].sku = "mug\0".to_owned()),
        (&["items[1].sku"], |order| order.items[1].sku = "tea".to_owned()),
        (&["items[1].quantity"], |order| order.items[1].quantity = 0),
        (&["items[1].quantity"], |order| order.items[1].quantity = -1),
        (&["items[0].quantity"], |order| order.items[0].quantity = 1_001),
        (&["items[0].quantity"], |order| order.items[0].quantity = i32::MIN),
        (&["customer"], |order| order.customer = None),
        (&["customer.email"], |order| order.customer = customer("")),
        (&["customer.email"], |order| order.customer = customer("ada")),
        (&["customer.email"], |order| order.customer = customer(&format!("ada@{}.com", "a".repeat(254)))),
        (&["payment_token"], |order| order.payment_token.clear()),
        (&["payment_token"], |order| order.payment_token = "t".repeat(256)),
        (&["payment_token"], |order| order.payment_token = "tok\nvisa".to_owned()),
        (&["items[0].quantity", "items[1].sku"], |order| order.items = vec![item("tea", 0), item("tea", 1)]),
    ];
    for (named, change) in cases {
        let mut request = order("tok_visa");
        change(&mut request);
        assert_eq!(fields(&stage.place(&request).await.unwrap_err()), *named);
    }
    payment.assert_not_asked();
}

#[tokio::test]
async fn all_violations_are_told_at_once() {
    let (stage, _payment) = Stage::with_fake().await;
    let request = pb::PlaceOrderRequest {
        idempotency_key: String::new(),
        items: vec![item("gold", 0), item("tea", 1_001)],
        customer: customer("nobody"),
        payment_token: String::new(),
    };
    let status = stage.place(&request).await.unwrap_err();
    let all = [
        "idempotency_key",
        "items[0].sku",
        "items[0].quantity",
        "items[1].quantity",
        "customer.email",
        "payment_token",
    ];
    assert_eq!(fields(&status), all);
    assert!(!format!("{status:?}").contains("nobody"), "{status:?}");
}

#[tokio::test]
async fn the_most_violations_still_reach_the_caller() {
    let (stage, _payment) = Stage::with_fake().await;
    let mut request = order("tok_visa");
    request.items = vec![item("gold", 0); 100];
    let status = stage.place(&request).await.unwrap_err();
    let named = fields(&status);
    assert_eq!(named[..3], ["items[0].sku", "items[0].quantity", "items[1].sku"]);
    assert_eq!(named.last().unwrap(), "items");
    // On the wire the details are base64 and what is no letter may be three bytes. Some clients take 8 KiB in all.
    let escaped = status.message().chars().map(|c| if c.is_ascii_alphanumeric() { 1 } else { 3 }).sum::<usize>();
    let headers = escaped + status.details().len().div_ceil(3) * 4;
    assert!((6 * 1024..15 * 512).contains(&headers), "{headers}");
}

#[tokio::test]
async fn the_largest_order_is_accepted() {
    let stage = Stage::set().await;
    let mut request = order("tok_visa");
    request.items = SKUS.map(|sku| item(sku, 1_000)).to_vec();
    request.idempotency_key = "ü".repeat(255);
    assert_eq!(placed(stage.place(&request).await).total.unwrap().minor_units, 25_470_000);
}

#[tokio::test]
async fn a_malformed_request_leaves_its_key_free() {
    let stage = Stage::set().await;
    let good = order("tok_visa");
    let bad = pb::PlaceOrderRequest { items: vec![item("gold", 1)], ..good.clone() };
    assert_eq!(fields(&stage.place(&bad).await.unwrap_err()), ["items[0].sku"]);
    placed(stage.place(&good).await);
}

#[tokio::test]
async fn an_order_id_is_a_uuid() {
    let (stage, _payment) = Stage::with_fake().await;
    for id in ["", "42", "0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0a", "'; DROP TABLE orders; --"] {
        assert_eq!(fields(&stage.get(id).await.unwrap_err()), ["order_id"]);
    }
}

#[tokio::test]
async fn a_page_has_a_size_and_a_token() {
    let (stage, _payment) = Stage::with_fake().await;
    for (page_size, page_token, named) in [
        (-1, "", vec!["page_size"]),
        (0, "42", vec!["page_token"]),
        (i32::MIN, "' OR 1", vec!["page_size", "page_token"]),
    ] {
        let request = pb::ListOrdersRequest { page_size, page_token: page_token.to_owned() };
        assert_eq!(fields(&stage.client.clone().list_orders(request).await.unwrap_err()), named);
    }
}

#[tokio::test]
async fn a_request_of_more_than_64_kib_declines() {
    let (stage, _payment) = Stage::with_fake().await;
    let mut request = order("tok_visa");
    request.payment_token = "t".repeat(64 * 1024);
    assert_eq!(stage.place(&request).await.unwrap_err().code(), Code::ResourceExhausted);
}
