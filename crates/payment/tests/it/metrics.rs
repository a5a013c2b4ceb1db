//! What the service measures of its own business.

use std::time::Duration;

use crate::stage::{Stage, charge};

#[tokio::test]
async fn a_payment_counts_by_what_came_of_it() {
    let stage = Stage::with(|config, _| config.bank_timeout = Duration::from_secs(1)).await;
    let captured = stage.captured().await;
    stage.refund("key", &captured.id).await.unwrap();
    // An earlier answer is no new payment.
    stage.refund("key", &captured.id).await.unwrap();
    stage.charge(&charge("tok_declined")).await.unwrap_err();
    stage.charge(&charge("tok_down")).await.unwrap_err();
    let unknown = charge("tok_timeout");
    stage.charge(&unknown).await.unwrap();
    stage.charge(&unknown).await.unwrap();

    let expected = "\
payment shop.payments [payment.operation=charge, payment.outcome=CAPTURED] 2
payment shop.payments [payment.operation=charge, payment.outcome=DECLINED] 1
payment shop.payments [payment.operation=charge, payment.outcome=UNAVAILABLE] 1
payment shop.payments [payment.operation=charge, payment.outcome=UNKNOWN] 1
payment shop.payments [payment.operation=refund, payment.outcome=REFUNDED] 1
";
    assert_eq!(stage.spans.metrics().await.render("shop."), expected);
}
