use std::time::Duration;

use clap::Parser;
use proto::payment::v1::PaymentState;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::stage::{REFUNDED_ONCE, Stage, canned_bank, charge, is_replayed, payment};

#[tokio::test]
async fn a_refund_gives_the_money_back_once() {
    let stage = Stage::set().await;
    let captured = stage.captured().await;
    let first = stage.refund("key", &captured.id).await.unwrap();
    assert!(!is_replayed(first.metadata()));
    let refunded = first.into_inner().payment.unwrap();
    assert_eq!(refunded.state(), PaymentState::Refunded);
    assert_eq!(refunded.transaction_id, captured.transaction_id);
    assert_eq!(stage.payment(&captured.id).await.unwrap(), refunded);

    let again = stage.refund("key", &captured.id).await.unwrap();
    assert!(is_replayed(again.metadata()));
    assert_eq!(again.into_inner().payment.unwrap(), refunded);
    assert_eq!(stage.movements(&captured.order_id).await, REFUNDED_ONCE);
}

#[tokio::test]
async fn a_charge_is_replayed_as_it_was_after_a_refund_too() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    let charged = payment(stage.charge(&request).await);
    stage.refund("key", &charged.id).await.unwrap();
    assert_eq!(payment(stage.charge(&request).await), charged);
}

#[tokio::test]
async fn what_is_not_captured_cannot_be_refunded() {
    let stage = Stage::set().await;
    let captured = stage.captured().await;
    stage.refund("first", &captured.id).await.unwrap();
    assert_not_captured(&stage.refund("second", &captured.id).await.unwrap_err(), &captured.id);
    assert_eq!(stage.movements(&captured.order_id).await, REFUNDED_ONCE);

    let declined = stage.charge(&charge("tok_declined")).await.unwrap_err();
    let declined = &declined.get_details_error_info().unwrap().metadata["payment_id"];
    assert_not_captured(&stage.refund("third", declined).await.unwrap_err(), declined);
}

#[tokio::test]
async fn a_refused_refund_does_not_use_up_its_key() {
    let stage = Stage::with(|config, _| config.bank_timeout = Duration::from_secs(1)).await;
    let request = charge("tok_timeout");
    let pending = payment(stage.charge(&request).await);
    assert_not_captured(&stage.refund("key", &pending.id).await.unwrap_err(), &pending.id);

    let settled = payment(stage.charge(&request).await);
    assert_eq!(settled.state(), PaymentState::Captured);
    let refunded = stage.refund("key", &pending.id).await.unwrap();
    assert_eq!(refunded.into_inner().payment.unwrap().state(), PaymentState::Refunded);
}

#[tokio::test]
async fn an_unknown_refund_stays_open_and_is_asked_for_with_the_same_key() {
    // What is right for the charge is no answer to the refund.
    let captured = r#"{"id":"txn_1","state":"captured"}"#;
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{captured}", captured.len());
    let (bank, mut asked) = canned_bank(answer).await;
    let stage = Stage::facing(bank, payment::Config::parse_from(["payment"])).await;
    let captured = stage.captured().await;
    asked.recv().await.unwrap();

    let mut heads = Vec::new();
    for _ in 0..2 {
        let answer = stage.refund("key", &captured.id).await.unwrap();
        assert!(!is_replayed(answer.metadata()));
        assert_eq!(answer.into_inner().payment.unwrap().state(), PaymentState::RefundPending);
        heads.push(asked.recv().await.unwrap());
    }
    assert!(heads[0].starts_with("post /v1/authorisations/txn_1/refund "), "{}", heads[0]);
    assert!(heads[0].contains("idempotency-key: "));
    assert_eq!(heads[0], heads[1]);
    assert_not_captured(&stage.refund("other", &captured.id).await.unwrap_err(), &captured.id);
}

#[tokio::test]
async fn a_refund_of_an_unknown_payment_is_not_found() {
    let stage = Stage::set().await;
    let id = "0190f0c8-0000-7000-8000-000000000000";
    assert_eq!(stage.refund("key", id).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn another_refund_under_a_known_key_is_refused() {
    let stage = Stage::set().await;
    let (one, other) = (stage.captured().await, stage.captured().await);
    stage.refund("key", &one.id).await.unwrap();
    let status = stage.refund("key", &other.id).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.get_details_error_info().unwrap().reason, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(stage.payment(&other.id).await.unwrap().state(), PaymentState::Captured);
}

#[track_caller]
fn assert_not_captured(status: &Status, payment: &str) {
    assert_eq!(status.code(), Code::FailedPrecondition);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "PAYMENT_NOT_CAPTURED");
    assert_eq!(info.metadata["payment_id"], payment);
}
