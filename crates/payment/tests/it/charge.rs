use proto::payment::v1::PaymentState;
use proto::types::v1 as pbt;
use sqlx::{AnyConnection, Connection};
use tonic::Code;
use tonic_types::StatusExt;

use crate::stage::{CAPTURED_ONCE, Stage, charge, is_replayed, payment};

#[tokio::test]
async fn an_approved_charge_is_captured_once() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    let answer = stage.charge(&request).await.unwrap();
    assert!(!is_replayed(answer.metadata()));

    let payment = answer.into_inner().payment.unwrap();
    assert_eq!(payment.state(), PaymentState::Captured);
    assert_eq!(payment.order_id, request.order_id);
    assert_eq!(payment.amount, request.amount);
    assert_eq!(payment.decline_reason(), pbt::DeclineReason::Unspecified);
    assert!(!payment.transaction_id.is_empty());
    assert_eq!(stage.payment(&payment.id).await.unwrap(), payment);
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn a_decline_says_why_and_is_kept() {
    let stage = Stage::set().await;
    for (token, reason, kept) in [
        ("tok_declined", "CARD_DECLINED", pbt::DeclineReason::CardDeclined),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS", pbt::DeclineReason::InsufficientFunds),
        ("tok_expired", "CARD_EXPIRED", pbt::DeclineReason::CardExpired),
        ("tok_of_nobody", "CARD_DECLINED", pbt::DeclineReason::CardDeclined),
    ] {
        let request = charge(token);
        let status = stage.charge(&request).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(!is_replayed(status.metadata()));
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "shop.throughline"));

        let payment = stage.payment(&info.metadata["payment_id"]).await.unwrap();
        assert_eq!(payment.state(), PaymentState::Declined);
        assert_eq!(payment.decline_reason(), kept);
        assert_eq!(payment.transaction_id, "");
        assert!(stage.movements(&request.order_id).await.is_empty());
    }
}

#[tokio::test]
async fn an_unknown_payment_is_not_found() {
    let stage = Stage::set().await;
    let status = stage.payment("0190f0c8-0000-7000-8000-000000000000").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_failure_inside_shows_the_trace_and_nothing_else() {
    let stage = Stage::set().await;
    stage.captured().await;
    let mut ledger = AnyConnection::connect(&stage.store).await.unwrap();
    sqlx::query("ALTER TABLE payments RENAME TO lost").execute(&mut ledger).await.unwrap();

    let status = stage.charge(&charge("tok_visa")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let trace = status.metadata().get("x-trace-id").unwrap().to_str().unwrap();
    assert_eq!(status.message(), format!("internal error, trace {trace}"));
    assert!(status.details().is_empty());
}

#[tokio::test]
async fn a_token_is_never_stored() {
    let stage = Stage::set().await;
    payment(stage.charge(&charge("tok_visa")).await);
    let stage = stage.restart().await;
    for file in std::fs::read_dir(stage.dir.path()).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("payment.db") {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(8).any(|window| window == b"tok_visa"), "{path:?}");
        }
    }
}
