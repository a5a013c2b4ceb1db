//! Capture, refund, and looking things up.

use sqlx::SqlitePool;
use uuid::Uuid;

use crate::{Client, database_url, open, wish};

#[tokio::test]
async fn an_authorisation_is_captured_then_refunded() {
    let bank = open().await;
    let id = bank.authorised("a", false).await;
    assert_eq!(state(&bank, &id).await, "authorised");
    assert_eq!(bank.movements("tok_visa").await, ["authorise 4200 a"]);

    let captured = bank.post(&format!("/v1/authorisations/{id}/capture"), "c", "{}").await;
    assert_eq!((captured.status, captured.field("/state").as_str()), (200, "captured"));
    assert_eq!(state(&bank, &id).await, "captured");

    let refunded = bank.post(&format!("/v1/authorisations/{id}/refund"), "r", "").await;
    assert_eq!((refunded.status, refunded.field("/state").as_str()), (200, "refunded"));
    assert_eq!(state(&bank, &id).await, "refunded");
    assert_eq!(bank.movements("tok_visa").await, ["authorise 4200 a", "capture 4200 c", "refund 4200 r"]);
}

#[tokio::test]
async fn what_does_not_follow_from_the_state_is_refused() {
    let bank = open().await;
    let id = bank.authorised("a", false).await;
    check(&bank, &id, "refund", 409).await;
    check(&bank, &id, "capture", 200).await;
    check(&bank, &id, "capture", 409).await;
    check(&bank, &id, "refund", 200).await;
    check(&bank, &id, "refund", 409).await;
    check(&bank, &id, "capture", 409).await;
    assert_eq!(bank.movements("tok_visa").await.len(), 3);
}

/// A fresh key each time, so that only the state decides.
async fn check(bank: &Client, id: &str, change: &str, status: u16) {
    let answer = bank.post(&format!("/v1/authorisations/{id}/{change}"), &Uuid::now_v7().to_string(), "").await;
    assert_eq!(answer.status, status, "{change}: {answer:?}");
    if status == 409 {
        answer.assert_refused(409, "invalid_state");
    }
}

#[tokio::test]
async fn what_was_never_authorised_is_not_found() {
    let bank = open().await;
    for id in [Uuid::now_v7().to_string(), "1".to_owned(), "%FF".to_owned(), "'%20OR%201=1--".to_owned()] {
        bank.get(&format!("/v1/authorisations/{id}")).await.assert_refused(404, "not_found");
        for change in ["capture", "refund"] {
            let path = format!("/v1/authorisations/{id}/{change}");
            bank.post(&path, "k", "").await.assert_refused(404, "not_found");
        }
    }
    bank.get("/v1/authorisations?idempotency_key=k").await.assert_refused(404, "not_found");
}

#[tokio::test]
async fn an_authorisation_is_found_by_id_and_by_key() {
    let bank = open().await;
    let made = bank.authorise("the key/of=order & 1", "tok_visa").await;
    let by_id = bank.get(&format!("/v1/authorisations/{}", made.field("/id"))).await;
    let by_key = bank.get("/v1/authorisations?idempotency_key=the+key%2Fof%3Dorder+%26+1").await;
    assert_eq!((by_id.status, by_key.status), (200, 200));
    assert_eq!((by_id.json(), by_key.json()), (made.json(), made.json()));
}

#[tokio::test]
async fn the_statement_lists_every_movement_in_order() {
    let bank = open().await;
    let mut other = wish("tok_visa");
    other["reference"] = "another order".into();
    let id = bank.authorised("a", true).await;
    bank.post("/v1/authorisations", "b", other.to_string()).await;
    bank.post(&format!("/v1/authorisations/{id}/refund"), "r", "").await;

    let all = bank.get("/v1/ledger").await.json();
    let of = |field: &str| -> Vec<String> {
        all["entries"].as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of("kind"), ["authorise", "capture", "authorise", "capture", "refund"]);
    assert_eq!(of("idempotency_key"), ["a", "a", "b", "b", "r"]);
    assert_eq!(of("currency_code"), ["EUR"; 5]);
    assert_eq!(of("authorisation_id")[4], id);
    assert_eq!(bank.movements("tok_visa").await, ["authorise 4200 a", "capture 4200 a", "refund 4200 r"]);
    assert_eq!(bank.get("/v1/ledger?reference=nobody").await.body, r#"{"entries":[]}"#);
}

#[tokio::test]
async fn the_statement_shows_the_newest_thousand() {
    let bank = open().await;
    bank.authorised("a", false).await;
    let book = SqlitePool::connect(&database_url(&bank.folder)).await.unwrap();
    for many in [
        "INSERT INTO authorisations SELECT value, value, 'authorised', 1, 'EUR', 'many' FROM generated",
        "INSERT INTO ledger (kind, authorisation_id, minor_units, currency_code, reference, idempotency_key)
         SELECT 'authorise', value, 1, 'EUR', 'many', 'a' FROM generated",
    ] {
        let numbers =
            "WITH RECURSIVE generated (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM generated LIMIT 1001)";
        let mut open_book = book.acquire().await.unwrap();
        sqlx::raw_sql("PRAGMA foreign_keys = OFF").execute(&mut *open_book).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{numbers} {many}"))).execute(&mut *open_book).await.unwrap();
    }
    for path in ["/v1/ledger", "/v1/ledger?reference=many"] {
        let statement = bank.get(path).await.json();
        let entries = statement["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 1000);
        assert_eq!((&entries[0]["authorisation_id"], &entries[999]["authorisation_id"]), (&"2".into(), &"1001".into()));
    }
}

#[tokio::test]
async fn the_ledger_is_append_only() {
    let bank = open().await;
    let id = bank.authorised("a", true).await;
    let book = SqlitePool::connect(&database_url(&bank.folder)).await.unwrap();
    for rewrite in [
        "UPDATE ledger SET minor_units = 1",
        "DELETE FROM ledger",
        "INSERT INTO ledger (kind, authorisation_id, minor_units, currency_code, reference, idempotency_key)
         SELECT kind, authorisation_id, minor_units, currency_code, reference, idempotency_key FROM ledger",
    ] {
        assert!(sqlx::query(rewrite).execute(&book).await.is_err(), "{rewrite}");
    }
    assert_eq!(state(&bank, &id).await, "captured");
    assert_eq!(bank.movements("tok_visa").await.len(), 2);
}

async fn state(bank: &Client, id: &str) -> String {
    bank.get(&format!("/v1/authorisations/{id}")).await.field("/state")
}
