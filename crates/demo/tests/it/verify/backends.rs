//! A Tempo and a Loki, as far as verify asks them, that answer with what the demo's own collector holds.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tonic::metadata::BinaryMetadataValue;

use super::Verdict;
use crate::shop::bind;
use crate::up::Up;

async fn serve(routes: Router<SocketAddr>, view: SocketAddr) -> String {
    let listener = bind().await;
    let address = listener.local_addr().unwrap().to_string();
    telemetry::spawn(async move { axum::serve(listener, routes.with_state(view)).await.unwrap() });
    address
}

async fn asked(view: SocketAddr, path: &str) -> Result<Value, StatusCode> {
    let answer = reqwest::get(format!("http://{view}{path}")).await.unwrap();
    if answer.status().is_success() { Ok(answer.json().await.unwrap()) } else { Err(answer.status()) }
}

/// Tempo writes ids as protobuf's own JSON does.
async fn tempo_trace(view: State<SocketAddr>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    let mut answer = asked(view.0, &format!("/api/v3/traces/{id}")).await?;
    let batches = answer["result"]["resourceSpans"].as_array_mut().unwrap().iter_mut();
    let scopes = batches.flat_map(|batch| batch["scopeSpans"].as_array_mut().unwrap());
    for span in scopes.flat_map(|scope| scope["spans"].as_array_mut().unwrap()) {
        for id in ["traceId", "spanId", "parentSpanId"] {
            if let Some(hex) = span[id].as_str() {
                span[id] = json!(base64(hex));
            }
        }
    }
    Ok(Json(json!({"trace": answer["result"]})))
}

fn base64(hex: &str) -> String {
    let bytes: Vec<_> = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let digits = BinaryMetadataValue::from_bytes(&bytes);
    let digits = String::from_utf8(digits.as_encoded_bytes().to_vec()).unwrap();
    let padding = "=".repeat(digits.len().next_multiple_of(4) - digits.len());
    digits + &padding
}

/// Only the log records of a trace are to be had; nothing is found by a word.
async fn loki_query(
    view: State<SocketAddr>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let id = query["query"].split(r#"trace_id=""#).nth(1).and_then(|rest| rest.split('"').next());
    let Some(id) = id else { return Ok(Json(json!({"data": {"result": []}}))) };
    let logs = asked(view.0, &format!("/api/logs/{id}")).await.unwrap_or_default();
    let batches = logs["resourceLogs"].as_array().into_iter().flatten();
    let scopes = batches.flat_map(|batch| batch["scopeLogs"].as_array().unwrap());
    let streams = scopes.flat_map(|scope| scope["logRecords"].as_array().unwrap()).map(|record| {
        let line = json!([record["timeUnixNano"], record["body"]["stringValue"]]);
        json!({"stream": {"trace_id": id, "span_id": record["spanId"]}, "values": [line]})
    });
    Ok(Json(json!({"data": {"result": streams.collect::<Vec<_>>()}})))
}

/// A log line with whatever word is looked for.
async fn leaking_loki_query(
    view: State<SocketAddr>,
    query: Query<HashMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let of_word = query.0["query"].contains("|=");
    let leak = json!({"data": {"result": [{"stream": {}, "values": [["1", "paid with …"]]}]}});
    if of_word { Ok(Json(leak)) } else { loki_query(view, query).await }
}

/// Finds no line with a word, but keeps the first that was looked for beside a line of its own.
async fn forgetful_loki(
    view: State<SocketAddr>,
    query: Query<HashMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    static LOOKED_FOR: OnceLock<String> = OnceLock::new();
    let asked = &query.0["query"];
    if let Some((_, word)) = asked.split_once("|= ") {
        LOOKED_FOR.get_or_init(|| word.trim_matches('"').to_owned());
    } else if !asked.contains("trace_id") {
        let kept = json!({"stream": {"reference": LOOKED_FOR.get()}, "values": [["1", "paid"]]});
        return Ok(Json(json!({"data": {"result": [kept]}})));
    }
    loki_query(view, query).await
}

#[tokio::test]
async fn tempo_and_loki_are_looked_into_where_they_are_given() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    let view = demo.addresses["collector"][2];
    let tempo = serve(Router::new().route("/api/v2/traces/{id}", get(tempo_trace)), view).await;
    let loki = serve(Router::new().route("/loki/api/v1/query_range", get(loki_query)), view).await;

    let verdict = Verdict::of(&demo, &["--tempo", &tempo, "--loki", &loki]).await;
    assert_eq!(verdict.status.code(), Some(0), "{:#}", verdict.whole);
    let spans = demo::PAID_ORDER.lines().count();
    assert_eq!(verdict.detail("same trace in Tempo"), format!("the same {spans} spans"));
    assert_eq!(verdict.detail("logs in the trace"), "2 records in Loki, each in a span of the trace");
    let secrets = "0 hits for 4 secrets of 4 requests in the view, Tempo, Loki";
    assert_eq!(verdict.detail("no secrets from the services"), secrets);
    demo.interrupt().await;
}

#[tokio::test]
async fn a_secret_in_a_log_record_without_a_trace_is_found_in_its_line_and_beside_it() {
    let data = tempfile::tempdir().unwrap();
    let demo = Up::start(data.path()).await;
    let view = demo.addresses["collector"][2];
    for answer in [get(leaking_loki_query), get(forgetful_loki)] {
        let loki = serve(Router::new().route("/loki/api/v1/query_range", answer), view).await;
        let verdict = Verdict::of(&demo, &["--loki", &loki]).await;
        assert_eq!(verdict.with_outcome("failed"), ["no secrets from the services"], "{:#}", verdict.whole);
        assert_eq!(verdict.detail("no secrets from the services"), "Loki holds the card number of a request");
    }
    demo.interrupt().await;
}
