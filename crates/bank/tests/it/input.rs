//! What a caller may send, and what it is told otherwise.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Answer, Client, TestBank, open, wish};

#[tokio::test]
async fn a_bad_field_is_named() {
    let bank = open().await;
    let long = "x".repeat(256);
    check(&bank, "/amount", json!(4200), "amount").await;
    check(&bank, "/amount", json!({}), "amount.minor_units").await;
    for minor_units in [json!(0), json!(-1), json!(42.5), json!(1e3), json!("4200"), json!(null), json!(u64::MAX)] {
        check(&bank, "/amount/minor_units", minor_units, "amount.minor_units").await;
    }
    for code in [json!("eur"), json!("EURO"), json!("EU"), json!("€"), json!("E1R"), json!(""), json!(978)] {
        check(&bank, "/amount/currency_code", code, "amount.currency_code").await;
    }
    check(&bank, "/amount", json!({"minor_units": 1, "currency_code": "EUR", "tip": 1}), "amount.tip").await;
    for text in [json!(""), json!(long), json!("a\u{0}b"), json!("a\nb"), json!(1), json!(null)] {
        check(&bank, "/token", text.clone(), "token").await;
        check(&bank, "/reference", text, "reference").await;
    }
    for capture in [json!("true"), json!(1), json!(null)] {
        check(&bank, "/capture", capture, "capture").await;
    }
    assert_eq!(bank.get("/v1/ledger").await.body, r#"{"entries":[]}"#);
}

#[tokio::test]
async fn a_missing_or_unknown_field_is_named() {
    let bank = open().await;
    for field in ["amount", "token", "capture", "reference"] {
        let mut body = wish("tok_visa");
        body.as_object_mut().unwrap().remove(field);
        refused(&bank, body.to_string(), Some(field)).await;
    }
    let mut body = wish("tok_visa");
    body["amuont"] = json!(1);
    refused(&bank, body.to_string(), Some("amuont")).await;
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let bank = open().await;
    for body in ["", "{", "[]", "null", "4200", "{\"amount\":}", "\u{feff}{}"] {
        refused(&bank, body.to_owned(), None).await;
    }
    let deep = "[".repeat(10_000);
    refused(&bank, deep, None).await;

    let id = bank.authorised("a", true).await;
    for (body, field) in [("nothing", None), ("{\"amount\":{}}", Some("amount"))] {
        let answer = bank.post(&format!("/v1/authorisations/{id}/refund"), "r", body).await;
        assert_invalid(&answer, field);
    }
}

#[tokio::test]
async fn every_changing_call_needs_one_good_key() {
    let bank = open().await;
    let id = bank.authorised("a", false).await;
    let paths = ["/v1/authorisations".to_owned(), format!("/v1/authorisations/{id}/capture")];
    let long = "k".repeat(256);
    for path in paths {
        let keys: [&[&[u8]]; 5] = [&[], &[b""], &[b"one", b"two"], &[long.as_bytes()], &["clé".as_bytes()]];
        for sent in keys {
            let mut request = bank.http.post(format!("{}{path}", bank.url)).body(wish("tok_visa").to_string());
            for key in sent {
                request = request.header("idempotency-key", *key);
            }
            assert_invalid(&Answer::read(request).await.unwrap(), Some("Idempotency-Key"));
        }
    }
    assert_eq!(bank.authorise(&long[1..], "tok_visa").await.status, 201);
}

#[tokio::test]
async fn a_query_without_a_key_is_refused() {
    let bank = open().await;
    assert_invalid(&bank.get("/v1/authorisations").await, Some("idempotency_key"));
    assert_invalid(&bank.get("/v1/authorisations?idempotency_key=").await, Some("idempotency_key"));
    assert_invalid(&bank.get("/v1/ledger?reference=a&reference=b").await, None);
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_a_longer_one_refused() {
    let bank = open().await;
    let mut body = wish("tok_visa").to_string();
    body.push_str(&" ".repeat(64 * 1024 - body.len()));
    assert_eq!(bank.post("/v1/authorisations", "k", body.clone()).await.status, 201);

    body.push(' ');
    bank.post("/v1/authorisations", "l", body).await.assert_refused(413, "request_too_large");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_json() {
    let bank = open().await;
    for path in ["/", "/v1", "/v2/authorisations", "/v1/authorisations/", "/v1/ledger/1"] {
        bank.get(path).await.assert_refused(404, "not_found");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/v1/ledger", "GET"),
        (Method::PUT, "/v1/authorisations", "POST"),
        (Method::GET, "/v1/authorisations/1/refund", "POST"),
    ] {
        let answer = Answer::read(bank.http.request(method, format!("{}{path}", bank.url))).await.unwrap();
        answer.assert_refused(405, "method_not_allowed");
        assert!(answer.headers["allow"].to_str().unwrap().contains(allow));
    }
    assert_eq!(bank.get("/healthz").await.status, 200);
}

/// A good request whose field at `pointer` is `value` is refused, and `field` is named.
async fn check(bank: &TestBank, pointer: &str, value: Value, field: &str) {
    let mut body = wish("tok_visa");
    *body.pointer_mut(pointer).unwrap() = value;
    refused(bank, body.to_string(), Some(field)).await;
}

async fn refused(bank: &Client, body: String, field: Option<&str>) {
    assert_invalid(&bank.post("/v1/authorisations", "never used", body).await, field);
}

#[track_caller]
fn assert_invalid(answer: &Answer, field: Option<&str>) {
    answer.assert_refused(400, "invalid_request");
    let named = answer.json();
    assert_eq!(named.pointer("/error/field").and_then(Value::as_str), field, "{answer:?}");
}
