//! Callers that go away.

use std::time::Duration;

use proto::payment::v1::PaymentState;
use proto::types::v1::OrderState;
use tonic::Code;

use crate::stage::{Stage, is_replayed, order, placed};

#[tokio::test]
async fn a_deadline_that_passes_leaves_a_finished_order() {
    let (stage, mut payment) = Stage::with_fake_and(|config| {
        config.server.default_deadline = Duration::from_millis(300);
    })
    .await;
    let request = order("tok_visa");
    let (answer, charge) = tokio::join!(stage.place(&request), payment.next());
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");

    charge.is(PaymentState::Captured);
    let trace = stage.trace(status.metadata()).await;
    let id = trace.span("INTERNAL", "place_order").attribute("order.id").unwrap();
    assert_eq!(stage.get(id).await.unwrap().state(), OrderState::Paid);
    assert!(is_replayed(stage.place(&request).await.unwrap().metadata()));
    payment.assert_not_asked();
}

#[tokio::test]
async fn the_charge_has_a_deadline_of_its_own() {
    let (stage, mut payment) = Stage::with_fake_and(|config| {
        config.server.default_deadline = Duration::from_millis(300);
    })
    .await;
    let request = order("tok_visa");
    let (_, charge) = tokio::join!(stage.place(&request), payment.next());
    let timeout = charge.metadata.get("grpc-timeout").unwrap().to_str().unwrap();
    let left = match timeout.split_at(timeout.len() - 1) {
        (digits, "m") => Duration::from_millis(digits.parse().unwrap()),
        (digits, "u") => Duration::from_micros(digits.parse().unwrap()),
        (digits, "n") => Duration::from_nanos(digits.parse().unwrap()),
        _ => panic!("{timeout}"),
    };
    assert!(left > Duration::from_secs(5) && left <= Duration::from_secs(8), "{timeout}");
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_a_finished_order() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let charge = tokio::select! {
        answer = stage.place(&request) => panic!("answered: {answer:?}"),
        charge = payment.next() => charge,
    };
    let id = charge.request.order_id.clone();
    assert_eq!(stage.get(&id).await.unwrap().state(), OrderState::PaymentPending);
    charge.is(PaymentState::Captured);

    for trace in stage.spans.traces().await {
        assert!(!trace.spans().is_empty());
    }
    assert_eq!(stage.get(&id).await.unwrap().state(), OrderState::Paid);
}

#[tokio::test]
async fn wherever_callers_hang_up_the_money_moves_once() {
    let stage = Stage::set().await;
    for step in 0..20 {
        let request = order("tok_visa");
        let hung_up = tokio::time::timeout(Duration::from_micros(step * 500), stage.place(&request)).await;
        let order = loop {
            match stage.place(&request).await {
                Err(status) if status.code() == Code::Aborted => tokio::task::yield_now().await,
                answer => break placed(answer),
            }
        };
        assert_eq!(order.state(), OrderState::Paid);
        assert_eq!(stage.movements(&order.id).await, ["authorise", "capture"], "{hung_up:?}");
    }
}

#[tokio::test]
async fn a_stop_waits_for_what_callers_have_left() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let charge = tokio::select! {
        answer = stage.place(&request) => panic!("answered: {answer:?}"),
        charge = payment.next() => charge,
    };
    let (stage, ()) = tokio::join!(stage.restart(), async { charge.is(PaymentState::Captured) });
    assert!(is_replayed(stage.place(&request).await.unwrap().metadata()));
}
