use proto::payment::v1 as pb;
use proto::types::v1 as pbt;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::stage::{Stage, charge};

#[tokio::test]
async fn every_violation_of_a_charge_names_its_field() {
    let stage = Stage::set().await;
    let long = "x".repeat(256);
    let money = |minor_units, code: &str| Some(pbt::Money { minor_units, currency_code: code.to_owned() });
    let valid = charge("tok_visa");
    let cases: &[(pb::ChargeRequest, &str)] = &[
        (pb::ChargeRequest { idempotency_key: String::new(), ..valid.clone() }, "idempotency_key"),
        (pb::ChargeRequest { idempotency_key: long.clone(), ..valid.clone() }, "idempotency_key"),
        (pb::ChargeRequest { order_id: String::new(), ..valid.clone() }, "order_id"),
        (pb::ChargeRequest { order_id: "42".to_owned(), ..valid.clone() }, "order_id"),
        (pb::ChargeRequest { amount: money(0, "EUR"), ..valid.clone() }, "amount.minor_units"),
        (pb::ChargeRequest { amount: money(-1, "EUR"), ..valid.clone() }, "amount.minor_units"),
        (pb::ChargeRequest { amount: money(1, ""), ..valid.clone() }, "amount.currency_code"),
        (pb::ChargeRequest { amount: money(1, "eur"), ..valid.clone() }, "amount.currency_code"),
        (pb::ChargeRequest { payment_token: String::new(), ..valid.clone() }, "payment_token"),
        (pb::ChargeRequest { payment_token: "tok\n".to_owned(), ..valid.clone() }, "payment_token"),
        (pb::ChargeRequest { payment_token: long, ..valid.clone() }, "payment_token"),
    ];
    for (request, field) in cases {
        let status = stage.charge(request).await.unwrap_err();
        assert_eq!(fields(&status), [*field], "{}", status.message());
        assert!(stage.movements(&valid.order_id).await.is_empty());
    }
}

#[tokio::test]
async fn all_violations_are_answered_at_once() {
    let stage = Stage::set().await;
    let status = stage.charge(&pb::ChargeRequest::default()).await.unwrap_err();
    let all = ["idempotency_key", "order_id", "amount.minor_units", "amount.currency_code", "payment_token"];
    assert_eq!(fields(&status), all);

    let keyed = pb::ChargeRequest { idempotency_key: "key".to_owned(), ..pb::ChargeRequest::default() };
    assert_eq!(fields(&stage.charge(&keyed).await.unwrap_err()), all[1..]);
}

#[tokio::test]
async fn a_key_of_255_characters_is_taken() {
    let stage = Stage::set().await;
    let request = pb::ChargeRequest { idempotency_key: "ü".repeat(255), ..charge("tok_visa") };
    stage.charge(&request).await.unwrap();
}

#[tokio::test]
async fn refunds_and_lookups_name_their_fields() {
    let stage = Stage::set().await;
    assert_eq!(fields(&stage.refund("", "").await.unwrap_err()), ["idempotency_key", "payment_id"]);
    assert_eq!(fields(&stage.refund("key", "42").await.unwrap_err()), ["payment_id"]);
    for bad in ["", "42", "../../etc/passwd"] {
        assert_eq!(fields(&stage.payment(bad).await.unwrap_err()), ["payment_id"]);
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let stage = Stage::set().await;
    let request = pb::ChargeRequest { order_id: "x".repeat(64 * 1024), ..charge("tok_visa") };
    assert_eq!(stage.charge(&request).await.unwrap_err().code(), Code::ResourceExhausted);
}

#[track_caller]
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_details_bad_request().unwrap();
    details.field_violations.into_iter().map(|violation| violation.field).collect()
}
