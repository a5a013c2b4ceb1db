use std::time::Duration;

use clap::Parser;
use telemetry::Propagate;

use crate::stage::{Stage, canned_bank, charge, payment};

#[tokio::test]
async fn a_charge_is_one_tree() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    let answer = stage.charge(&request).await.unwrap();
    let trace = stage.trace(answer.metadata()).await;
    trace.assert_tree(
        "
        payment SERVER shop.payment.v1.PaymentService/Charge
          payment INTERNAL charge
            payment CLIENT SELECT idempotency_keys payments
            payment CLIENT BEGIN
            payment CLIENT INSERT idempotency_keys
            payment CLIENT INSERT payments
            payment CLIENT INSERT payment_history SELECT payment_history
            payment CLIENT INSERT payment_steps
            payment CLIENT COMMIT
            payment CLIENT POST /v1/authorisations
            payment CLIENT BEGIN
            payment CLIENT UPDATE payment_steps
            payment CLIENT UPDATE payments
            payment CLIENT INSERT payment_history SELECT payment_history
            payment CLIENT UPDATE idempotency_keys
            payment CLIENT COMMIT
        ",
    );
    let (charged, paid) = (trace.span("INTERNAL", "charge"), payment(Ok(answer)));
    assert_eq!(charged.attribute("payment.id"), Some(paid.id.as_str()));
    assert_eq!(charged.attribute("payment.method"), Some("card"));
    assert_eq!(charged.attribute("payment.transaction_id"), Some(paid.transaction_id.as_str()));
    assert_eq!(charged.attribute("order.id"), Some(request.order_id.as_str()));
    let events: Vec<_> = charged.events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(events, ["payment.authorised"]);
}

#[tokio::test]
async fn a_replay_only_looks_up() {
    let stage = Stage::set().await;
    let request = charge("tok_visa");
    stage.charge(&request).await.unwrap();
    let again = stage.charge(&request).await.unwrap();
    stage.trace(again.metadata()).await.assert_tree(
        "
        payment SERVER shop.payment.v1.PaymentService/Charge
          payment INTERNAL charge
            payment CLIENT SELECT idempotency_keys payments
        ",
    );
}

#[tokio::test]
async fn a_refund_names_what_it_asks_of_the_bank() {
    let stage = Stage::set().await;
    let captured = stage.captured().await;
    let answer = stage.refund("key", &captured.id).await.unwrap();
    let trace = stage.trace(answer.metadata()).await;
    trace.span("CLIENT", "POST /v1/authorisations/{id}/refund");
    let refunded = trace.span("INTERNAL", "refund");
    assert_eq!(refunded.attribute("payment.id"), Some(captured.id.as_str()));
    assert_eq!(refunded.attribute("payment.transaction_id"), Some(captured.transaction_id.as_str()));
}

#[tokio::test]
async fn a_timed_out_question_is_an_error_inside_a_call_that_is_none() {
    let stage = Stage::with(|config, _| config.bank_timeout = Duration::from_secs(1)).await;
    let answer = stage.charge(&charge("tok_timeout")).await.unwrap();
    let trace = stage.trace(answer.metadata()).await;
    assert!(trace.span("CLIENT", "POST /v1/authorisations").is_error);
    assert!(!trace.span("INTERNAL", "charge").is_error);
    assert!(!trace.span("SERVER", "shop.payment.v1.PaymentService/Charge").is_error);
}

#[tokio::test]
async fn no_span_carries_a_token() {
    let stage = Stage::with(|config, _| config.bank_timeout = Duration::from_secs(1)).await;
    for token in ["tok_visa", "tok_declined", "tok_down", "tok_timeout", "tok_flaky"] {
        let request = charge(token);
        for _ in 0..2 {
            if let Err(status) = stage.charge(&request).await {
                assert!(!format!("{status:?}").contains(token));
            }
        }
    }
    for trace in stage.spans.traces().await {
        assert!(!format!("{trace:?}").contains("tok_"), "{trace:?}");
    }
}

#[tokio::test]
async fn the_bank_is_sent_a_trace_header_only_when_told_so() {
    for (propagate, sent) in [(Propagate::Nothing, false), (Propagate::TraceParent, true)] {
        let (bank, mut asked) = canned_bank(String::new()).await;
        let mut config = payment::Config::parse_from(["payment"]);
        config.bank_propagate = propagate;
        let stage = Stage::facing(bank, config).await;
        stage.charge(&charge("tok_visa")).await.unwrap();
        let head = asked.recv().await.unwrap();
        assert_eq!(head.contains("\r\ntraceparent: 00-"), sent, "{head}");
        assert!(head.contains("\r\nidempotency-key: "), "{head}");
        assert!(!head.contains("tracestate") && !head.contains("baggage"), "{head}");
    }
}
