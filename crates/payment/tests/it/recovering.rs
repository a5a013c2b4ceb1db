//! Payments that were begun and not ended: the service finds out by itself what became of them.

use std::time::Duration;

use proto::payment::v1::PaymentState;
use tonic::Code;

use crate::stage::{CAPTURED_ONCE, PATIENCE, REFUNDED_ONCE, Stage, charge, is_replayed, payment};

/// Takes up what is left at once, and what another has died over soon; and waits little for the bank.
fn eager(config: &mut payment::Config, bank: &mut bank::Config) {
    config.recovery_interval = Duration::from_millis(10);
    config.lease = Duration::from_millis(200);
    config.bank_timeout = Duration::from_millis(500);
    bank.slow = Duration::from_secs(1);
}

#[tokio::test]
async fn a_charge_that_the_bank_has_kept_silent_about_is_found_with_it() {
    let stage = Stage::with(eager).await;
    let request = charge("tok_timeout");
    let pending = payment(stage.charge(&request).await);
    assert_eq!(pending.state(), PaymentState::Pending);
    stage.until(&pending.id, PaymentState::Captured).await;
    assert_eq!(stage.history(&pending.id).await, [PaymentState::Pending, PaymentState::Captured]);
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
    assert!(is_replayed(stage.charge(&request).await.unwrap().metadata()));
}

#[tokio::test]
async fn a_charge_that_the_bank_is_slow_with_is_found_once_it_is_done() {
    let stage = Stage::with(eager).await;
    let request = charge("tok_slow");
    let pending = payment(stage.charge(&request).await);
    assert_eq!(pending.state(), PaymentState::Pending);
    stage.until(&pending.id, PaymentState::Captured).await;
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn a_charge_that_the_bank_does_not_know_of_waits_for_whoever_asked() {
    let stage = Stage::with(eager).await;
    let request = charge("tok_down");
    let status = stage.charge(&request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let trace = stage.trace(status.metadata()).await;
    let id = trace.span("INTERNAL", "charge").attribute("payment.id").unwrap();
    until_recovered(&stage).await;
    assert_eq!(stage.payment(id).await.unwrap().state(), PaymentState::Pending);
    assert!(stage.movements(&request.order_id).await.is_empty());
}

#[tokio::test]
async fn a_charge_that_a_crash_left_is_found_by_whoever_starts_next() {
    let stage = Stage::with(eager).await;
    let request = charge("tok_slow");
    tokio::select! {
        answer = stage.charge(&request) => panic!("answered: {answer:?}"),
        () = stage.until_known(&request) => {}
    }
    let stage = stage.crash().await;
    let paid = async {
        loop {
            match stage.charge(&request).await {
                Ok(answer) if answer.get_ref().payment.as_ref().unwrap().state() == PaymentState::Captured => {
                    break answer;
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, paid).await.unwrap();
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn a_refund_that_a_crash_left_is_finished_by_whoever_starts_next() {
    let stage = Stage::with(eager).await;
    let captured = stage.captured().await;
    let refunding = {
        let (mut client, id) = (stage.client.clone(), captured.id.clone());
        let refund = proto::payment::v1::RefundRequest { idempotency_key: "key".to_owned(), payment_id: id };
        telemetry::spawn(async move { client.refund(refund).await })
    };
    while stage.payment(&captured.id).await.unwrap().state() == PaymentState::Captured {}
    let stage = stage.crash().await;
    drop(refunding.await.unwrap());
    stage.until(&captured.id, PaymentState::Refunded).await;
    let history = [PaymentState::Pending, PaymentState::Captured, PaymentState::RefundPending, PaymentState::Refunded];
    assert_eq!(stage.history(&captured.id).await, history);
    assert_eq!(stage.movements(&captured.order_id).await, REFUNDED_ONCE);
}

#[tokio::test]
async fn recovery_is_a_trace_of_its_own_linked_to_the_charges() {
    let stage = Stage::with(eager).await;
    let answer = stage.charge(&charge("tok_timeout")).await.unwrap();
    let charging = stage.trace(answer.metadata()).await;
    let charged = charging.span("INTERNAL", "charge");
    stage.until(&payment(Ok(answer)).id, PaymentState::Captured).await;
    let trace = until_recovered(&stage).await;
    trace.assert_tree(
        "
        payment INTERNAL recover_payment
          payment CLIENT GET /v1/authorisations
          payment CLIENT BEGIN
          payment CLIENT UPDATE payment_steps
          payment CLIENT UPDATE payments
          payment CLIENT INSERT payment_history SELECT payment_history
          payment CLIENT UPDATE idempotency_keys
          payment CLIENT COMMIT
        ",
    );
    let recovery = trace.span("INTERNAL", "recover_payment");
    assert_eq!(recovery.links, [(charged.trace_id.clone(), charged.span_id.clone())]);
}

/// Waits until a step was taken up.
async fn until_recovered(stage: &Stage) -> telemetry::testing::Trace {
    let found = async {
        loop {
            let mut traces = stage.spans.traces().await.into_iter();
            if let Some(trace) = traces.find(|trace| trace.spans().iter().any(|span| span.name == "recover_payment")) {
                break trace;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}
