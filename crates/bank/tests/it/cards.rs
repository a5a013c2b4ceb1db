//! What each test card does.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::{open, until};

const PAID: [&str; 2] = ["authorise 4200 k", "capture 4200 k"];

#[tokio::test]
async fn a_good_card_pays() {
    let bank = open().await;
    let answer = bank.authorise("k", "tok_visa").await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json(),
        json!({
            "id": answer.field("/id"),
            "state": "captured",
            "amount": { "minor_units": 4200, "currency_code": "EUR" },
            "reference": "order of tok_visa",
        })
    );
    assert_eq!(bank.movements("tok_visa").await, PAID);
}

#[tokio::test]
async fn declined_cards_say_why_and_move_nothing() {
    let bank = open().await;
    for (token, code) in [
        ("tok_declined", "card_declined"),
        ("tok_insufficient_funds", "insufficient_funds"),
        ("tok_expired", "card_expired"),
        ("tok_of_another_bank", "card_declined"),
    ] {
        let answer = bank.authorise(token, token).await;
        answer.assert_refused(402, code);

        let again = bank.authorise(token, token).await;
        assert_eq!((again.status, &again.body, again.is_replay()), (402, &answer.body, true));
        assert!(bank.movements(token).await.is_empty());
        bank.get(&format!("/v1/authorisations?idempotency_key={token}")).await.assert_refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_slow_card_pays_in_the_end() {
    let bank = open().await;
    assert_eq!(bank.authorise("k", "tok_slow").await.status, 201);
    assert_eq!(bank.movements("tok_slow").await, PAID);
}

#[tokio::test]
async fn a_flaky_card_pays_at_the_third_call() {
    let bank = open().await;
    for _ in 0..2 {
        let answer = bank.authorise("k", "tok_flaky").await;
        answer.assert_refused(503, "unavailable");
        assert_eq!(answer.headers["retry-after"], "0");
        assert!(bank.movements("tok_flaky").await.is_empty());
    }
    assert_eq!(bank.authorise("k", "tok_flaky").await.status, 201);
    assert!(bank.authorise("k", "tok_flaky").await.is_replay());
    assert_eq!(bank.movements("tok_flaky").await, PAID);
}

#[tokio::test]
async fn each_key_of_a_flaky_card_counts_for_itself() {
    let bank = open().await;
    for key in ["a", "b"] {
        for _ in 0..2 {
            bank.authorise(key, "tok_flaky").await.assert_refused(503, "unavailable");
        }
    }
}

#[tokio::test]
async fn a_card_that_is_down_stays_down() {
    let bank = open().await;
    for _ in 0..5 {
        bank.authorise("k", "tok_down").await.assert_refused(503, "unavailable");
    }
    assert!(bank.movements("tok_down").await.is_empty());
}

#[tokio::test]
async fn a_silent_card_pays_once_and_tells_only_the_next_call() {
    let bank = open().await;
    let mut first = JoinSet::new();
    let client = bank.client.clone();
    first.spawn(async move { client.authorise("k", "tok_timeout").await });

    until(async || (bank.movements("tok_timeout").await == PAID).then_some(())).await;
    let second = bank.authorise("k", "tok_timeout").await;
    assert_eq!((second.status, second.is_replay()), (201, true));
    assert_eq!(bank.authorise("k", "tok_timeout").await.body, second.body);

    assert_eq!(bank.movements("tok_timeout").await, PAID);
    assert!(first.try_join_next().is_none(), "the first call was answered");
}

#[tokio::test]
async fn a_caller_that_goes_away_is_charged_all_the_same() {
    let bank = crate::open_slow(Duration::from_millis(300)).await;
    let mut caller = JoinSet::new();
    let client = bank.client.clone();
    caller.spawn(async move { client.authorise("k", "tok_slow").await });
    bank.until_claimed("k").await;
    caller.shutdown().await;

    until(async || (bank.movements("tok_slow").await == PAID).then_some(())).await;
    assert!(bank.authorise("k", "tok_slow").await.is_replay());
    assert_eq!(bank.movements("tok_slow").await, PAID);
}
