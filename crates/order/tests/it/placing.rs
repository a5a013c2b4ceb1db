//! What an order costs and how it ends, before the real payment service and bank.

use proto::types::v1::{DeclineReason, Money, OrderLine, OrderState};
use tonic::Code;
use tonic_types::StatusExt;

use crate::stage::{Stage, is_replayed, item, order, placed, reason};

fn euros(cents: i64) -> Option<Money> {
    Some(Money { minor_units: cents, currency_code: "EUR".to_owned() })
}

#[tokio::test]
async fn an_order_is_paid_at_the_prices_of_the_catalogue() {
    let stage = Stage::set().await;
    let answer = stage.place(&order("tok_visa")).await.unwrap();
    assert!(!is_replayed(answer.metadata()));
    let order = answer.into_inner().order.unwrap();

    assert_eq!(order.state(), OrderState::Paid);
    assert_eq!(order.decline_reason(), DeclineReason::Unspecified);
    let tea = OrderLine { sku: "tea".to_owned(), quantity: 2, unit_price: euros(450), total: euros(900) };
    let mug = OrderLine { sku: "mug".to_owned(), quantity: 1, unit_price: euros(1_200), total: euros(1_200) };
    assert_eq!(order.lines, [tea, mug]);
    assert_eq!(order.total, euros(2_100));
    assert!(uuid::Uuid::try_parse(&order.payment_id).is_ok());
    assert!(order.create_time.unwrap().seconds <= order.update_time.unwrap().seconds);
    assert_eq!(stage.movements(&order.id).await, ["authorise", "capture"]);
    assert_eq!(stage.get(&order.id).await.unwrap(), order);
}

#[tokio::test]
async fn lines_keep_the_callers_order() {
    let stage = Stage::set().await;
    let skus = [
        "tray", "tea", "mug", "kettle", "sugar", "honey", "cocoa", "coffee", "teapot", "grinder", "strainer",
        "biscuits",
    ];
    let mut request = order("tok_visa");
    request.items = skus.iter().zip(1..).map(|(sku, quantity)| item(sku, quantity)).collect();
    let order = placed(stage.place(&request).await);
    let ordered: Vec<_> = order.lines.iter().map(|line| (line.sku.as_str(), line.quantity)).collect();
    assert_eq!(ordered, skus.into_iter().zip(1..).collect::<Vec<_>>());
    assert_eq!(stage.get(&order.id).await.unwrap(), order);
}

#[tokio::test]
async fn a_refusal_of_the_bank_is_told_with_its_reason_and_the_order() {
    let stage = Stage::set().await;
    for (token, named, kept) in [
        ("tok_declined", "CARD_DECLINED", DeclineReason::CardDeclined),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS", DeclineReason::InsufficientFunds),
        ("tok_expired", "CARD_EXPIRED", DeclineReason::CardExpired),
    ] {
        let status = stage.place(&order(token)).await.unwrap_err();
        assert_eq!(reason(&status), named);
        assert!(!is_replayed(status.metadata()));

        let id = status.get_details_error_info().unwrap().metadata["order_id"].clone();
        let order = stage.get(&id).await.unwrap();
        assert_eq!((order.state(), order.decline_reason()), (OrderState::Declined, kept));
        assert!(uuid::Uuid::try_parse(&order.payment_id).is_ok());
        assert!(stage.movements(&id).await.is_empty());
    }
}

#[tokio::test]
async fn an_order_that_does_not_exist_is_not_found() {
    let stage = Stage::set().await;
    let id = "0193d0c4-1f9e-7b7c-8d0a-5a0c7c1de0aa";
    let status = stage.get(id).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, format!("order {id} does not exist").as_str()));
}
