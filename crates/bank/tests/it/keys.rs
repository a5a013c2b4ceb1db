//! One key, one movement of money, one answer.

use serde_json::json;
use tokio::task::JoinSet;

use crate::{FOR_EVER, open, open_in, open_slow, wish};

#[tokio::test]
async fn every_changing_call_is_replayed_byte_for_byte() {
    let bank = open().await;
    let first = bank.authorise("a", "tok_visa").await;
    let id = first.field("/id");
    let held = bank.authorised("h", false).await;
    let capture = format!("/v1/authorisations/{held}/capture");
    let refund = format!("/v1/authorisations/{id}/refund");
    let captured = bank.post(&capture, "c", "").await;
    let refunded = bank.post(&refund, "r", "").await;
    let before = bank.get("/v1/ledger").await.body;

    let again = [
        (bank.authorise("a", "tok_visa").await, first),
        (bank.post(&capture, "c", "").await, captured),
        (bank.post(&refund, "r", "").await, refunded),
    ];
    for (replay, first) in again {
        assert!(replay.is_replay() && !first.is_replay());
        assert_eq!((replay.status, replay.body), (first.status, first.body));
    }
    assert_eq!(bank.get("/v1/ledger").await.body, before);
}

#[tokio::test]
async fn the_same_request_may_be_written_differently() {
    let bank = open().await;
    let first = bank.authorise("k", "tok_visa").await;
    let body = r#"{ "reference": "order of tok_visa", "capture": true, "token": "tok_visa",
                    "amount": { "currency_code": "EUR", "minor_units": 4200 } }"#;
    assert_eq!(bank.post("/v1/authorisations", "k", body).await.body, first.body);
}

#[tokio::test]
async fn a_used_key_refuses_every_other_request() {
    let bank = open().await;
    let id = bank.authorise("k", "tok_visa").await.field("/id");
    let before = bank.get("/v1/ledger").await.body;

    for (pointer, value) in [
        ("/amount/minor_units", json!(4201)),
        ("/amount/currency_code", json!("USD")),
        ("/token", json!("tok_slow")),
        ("/capture", json!(false)),
        ("/reference", json!("another order")),
        // Not even valid; what is wrong first is the key.
        ("/amount/minor_units", json!(0)),
    ] {
        let mut other = wish("tok_visa");
        *other.pointer_mut(pointer).unwrap() = value;
        let answer = bank.post("/v1/authorisations", "k", other.to_string()).await;
        answer.assert_refused(422, "idempotency_key_reused");
    }
    for path in [format!("/v1/authorisations/{id}/capture"), format!("/v1/authorisations/{id}/refund")] {
        bank.post(&path, "k", "").await.assert_refused(422, "idempotency_key_reused");
    }
    assert_eq!(bank.get("/v1/ledger").await.body, before);
}

#[tokio::test]
async fn a_key_whose_call_is_running_is_refused() {
    let bank = open_slow(FOR_EVER).await;
    let client = bank.client.clone();
    let mut running = JoinSet::new();
    running.spawn(async move { client.authorise("k", "tok_slow").await });
    bank.until_claimed("k").await;

    bank.authorise("k", "tok_slow").await.assert_refused(409, "idempotency_key_in_use");
    bank.authorise("k", "tok_visa").await.assert_refused(422, "idempotency_key_reused");
    // Others are served meanwhile.
    assert_eq!(bank.authorise("l", "tok_visa").await.status, 201);
    assert!(running.try_join_next().is_none());
}

#[tokio::test]
async fn twenty_calls_at_once_move_money_once() {
    let bank = open().await;
    for token in ["tok_visa", "tok_slow"] {
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let client = bank.client.clone();
            calls.spawn(async move { client.authorise(token, token).await });
        }
        let answers = calls.join_all().await;
        let decided = answers.iter().filter(|answer| answer.status == 201 && !answer.is_replay());
        assert_eq!(decided.count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)), "{answers:?}");

        let movements = bank.movements(token).await;
        assert_eq!(movements, [format!("authorise 4200 {token}"), format!("capture 4200 {token}")]);
    }
}

#[tokio::test]
async fn twenty_refunds_at_once_give_back_once() {
    let bank = open().await;
    let id = bank.authorised("a", true).await;
    let mut calls = JoinSet::new();
    for key in 0..20 {
        let (client, path) = (bank.client.clone(), format!("/v1/authorisations/{id}/refund"));
        calls.spawn(async move { client.post(&path, &format!("r{key}"), "").await.status });
    }
    let mut statuses = calls.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (200, &[409; 19][..]));
    assert_eq!(bank.movements("tok_visa").await.len(), 3);
}

#[tokio::test]
async fn answers_outlive_the_process() {
    let bank = open().await;
    let paid = bank.authorise("p", "tok_visa").await;
    let declined = bank.authorise("d", "tok_expired").await;
    let flaky = bank.authorise("f", "tok_flaky").await;
    flaky.assert_refused(503, "unavailable");
    let ledger = bank.get("/v1/ledger").await.body;

    let bank = open_in(bank.stop().await, FOR_EVER).await;
    assert_eq!(bank.authorise("p", "tok_visa").await.body, paid.body);
    assert_eq!(bank.authorise("d", "tok_expired").await.body, declined.body);
    bank.authorise("p", "tok_down").await.assert_refused(422, "idempotency_key_reused");
    assert_eq!(bank.get("/v1/ledger").await.body, ledger);

    // The calls of a key are counted on.
    bank.authorise("f", "tok_flaky").await.assert_refused(503, "unavailable");
    assert_eq!(bank.authorise("f", "tok_flaky").await.status, 201);
}

#[tokio::test]
async fn an_undecided_refusal_leaves_the_key_free() {
    let bank = open().await;
    let id = bank.authorised("a", false).await;
    let refund = format!("/v1/authorisations/{id}/refund");
    bank.post(&refund, "r", "").await.assert_refused(409, "invalid_state");
    bank.post("/v1/authorisations", "n", "{}").await.assert_refused(400, "invalid_request");

    bank.post(&format!("/v1/authorisations/{id}/capture"), "c", "").await;
    assert_eq!(bank.post(&refund, "r", "").await.status, 200);
    assert_eq!(bank.authorise("n", "tok_visa").await.status, 201);
}
