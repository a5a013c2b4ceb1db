//! Callers that go away.

use std::time::Duration;

use proto::payment::v1::PaymentState;
use tonic::Code;

use crate::stage::{CAPTURED_ONCE, Stage, charge, is_replayed, payment, traced};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_deadline_that_passes_leaves_a_finished_payment() {
    let stage = Stage::with(|_, bank| bank.slow = Duration::from_secs(2)).await;
    let request = charge("tok_slow");
    let mut call = traced(request.clone(), TRACE);
    call.metadata_mut().insert("grpc-timeout", "1S".parse().unwrap());
    let status = stage.client.clone().charge(call).await.unwrap_err();
    // Who notices first, tonic's client or our server, is not promised.
    assert!([Code::DeadlineExceeded, Code::Cancelled].contains(&status.code()), "{status:?}");

    assert_finished(&stage, &request.order_id).await;
    let again = stage.charge(&request).await;
    assert_eq!(payment(again).state(), PaymentState::Captured);
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_a_finished_payment() {
    let stage = Stage::with(|_, bank| bank.slow = Duration::from_secs(1)).await;
    let request = charge("tok_slow");
    let mut client = stage.client.clone();
    let call = traced(request.clone(), TRACE);
    tokio::select! {
        answer = client.charge(call) => panic!("answered: {answer:?}"),
        () = stage.until_known(&request) => {}
    }
    assert_finished(&stage, &request.order_id).await;
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn wherever_callers_hang_up_the_money_moves_once() {
    let stage = Stage::set().await;
    for step in 0..30 {
        let request = charge("tok_visa");
        let hung_up = tokio::time::timeout(Duration::from_micros(step * 300), stage.charge(&request)).await;
        let answer = loop {
            match stage.charge(&request).await {
                Err(status) if status.code() == Code::Aborted => tokio::task::yield_now().await,
                answer => break payment(answer),
            }
        };
        assert_eq!(answer.state(), PaymentState::Captured);
        assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE, "{hung_up:?}");
    }
}

#[tokio::test]
async fn a_stop_waits_for_what_callers_have_left() {
    let stage = Stage::with(|_, bank| bank.slow = Duration::from_secs(1)).await;
    let request = charge("tok_slow");
    tokio::select! {
        answer = stage.charge(&request) => panic!("answered: {answer:?}"),
        () = stage.until_known(&request) => {}
    }
    let stage = stage.restart().await;
    let answer = stage.charge(&request).await.unwrap();
    assert!(is_replayed(answer.metadata()));
    assert_eq!(answer.into_inner().payment.unwrap().state(), PaymentState::Captured);
}

/// The work of the one call, whose caller went away, ends with the payment captured.
async fn assert_finished(stage: &Stage, order: &str) {
    let trace = stage.spans.trace(TRACE).await;
    let charged = trace.span("INTERNAL", "charge");
    assert_eq!(charged.attribute("order.id"), Some(order));
    let payment = stage.payment(charged.attribute("payment.id").unwrap()).await.unwrap();
    assert_eq!(payment.state(), PaymentState::Captured);
}
