use std::time::Duration;

use futures_util::future::{join, join_all};
use proto::payment::v1::{ChargeRequest, PaymentState};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::stage::{CAPTURED_ONCE, Stage, charge, is_replayed, payment};

#[tokio::test]
async fn the_same_request_gets_the_same_answer() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    let first = payment(stage.charge(&request).await);
    for _ in 0..10 {
        let again = stage.charge(&request).await.unwrap();
        assert!(is_replayed(again.metadata()));
        assert_eq!(again.into_inner().payment.unwrap(), first);
    }
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn a_decline_is_replayed_as_it_was() {
    let stage = Stage::set().await;
    let request = charge("tok_expired");
    let first = stage.charge(&request).await.unwrap_err();
    let again = stage.charge(&request).await.unwrap_err();
    assert!(is_replayed(again.metadata()));
    assert_eq!((again.code(), again.message(), again.details()), (first.code(), first.message(), first.details()));
}

#[tokio::test]
async fn another_body_under_a_known_key_is_refused() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    payment(stage.charge(&request).await);

    let other_order = ChargeRequest { order_id: charge("").order_id, ..request.clone() };
    let other_token = ChargeRequest { payment_token: "tok_expired".to_owned(), ..request.clone() };
    // The key is looked up before the rest is checked.
    let malformed = ChargeRequest { amount: None, ..request.clone() };
    for other in [other_order, other_token, malformed] {
        assert_reused(&stage.charge(&other).await.unwrap_err());
        assert!(other.order_id == request.order_id || stage.movements(&other.order_id).await.is_empty());
    }
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn a_key_is_one_method_s_own() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    let charged = payment(stage.charge(&request).await);
    let refunded = stage.refund(&request.idempotency_key, &charged.id).await.unwrap();
    assert_eq!(refunded.into_inner().payment.unwrap().state(), PaymentState::Refunded);
}

#[tokio::test]
async fn a_malformed_request_does_not_use_up_its_key() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    let malformed = ChargeRequest { order_id: String::new(), ..request.clone() };
    assert_eq!(stage.charge(&malformed).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(payment(stage.charge(&request).await).state(), PaymentState::Captured);
}

#[tokio::test]
async fn a_key_in_use_is_refused_at_once() {
    let stage = Stage::with(|_, bank| bank.slow = Duration::from_secs(2)).await;
    let request = charge("tok_slow");
    let working = stage.charge(&request);
    let asking = async {
        stage.until_known(&request).await;
        let refused = stage.charge(&request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Aborted);
        assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
        let other = ChargeRequest { payment_token: "tok_visa".to_owned(), ..request.clone() };
        assert_reused(&stage.charge(&other).await.unwrap_err());
    };
    let (answer, ()) = join(working, asking).await;
    assert_eq!(payment(answer).state(), PaymentState::Captured);
}

#[tokio::test]
async fn twenty_callers_with_one_key_move_the_money_once() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    let answers = join_all((0..20).map(|_| stage.charge(&request))).await;

    let (paid, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let mut payments: Vec<_> = paid.into_iter().map(payment).collect();
    payments.dedup();
    assert_eq!(payments.len(), 1);
    for refused in refused {
        assert_eq!(refused.unwrap_err().code(), Code::Aborted);
    }
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn answers_outlive_the_process() {
    let stage = Stage::set().await;
    let (paid, declined) = (charge("tok_visa"), charge("tok_declined"));
    let first = payment(stage.charge(&paid).await);
    stage.charge(&declined).await.unwrap_err();

    let stage = stage.restart().await;
    let again = stage.charge(&paid).await.unwrap();
    assert!(is_replayed(again.metadata()));
    assert_eq!(again.into_inner().payment.unwrap(), first);
    assert!(is_replayed(stage.charge(&declined).await.unwrap_err().metadata()));
    assert_eq!(stage.movements(&paid.order_id).await, CAPTURED_ONCE);
}

#[track_caller]
fn assert_reused(status: &Status) {
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.get_details_error_info().unwrap().reason, "IDEMPOTENCY_KEY_REUSED");
}
