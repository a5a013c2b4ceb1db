//! What a stop and a crash leave.

use std::time::Duration;

use clap::Parser;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{Client, FOR_EVER, database_url, open, open_in, open_slow, until};

#[tokio::test]
async fn a_stop_does_not_wait_for_calls_that_are_never_answered() {
    let bank = open().await;
    let mut silent = JoinSet::new();
    let client = bank.client.clone();
    silent
        .spawn(async move { client.try_post("/v1/authorisations", "k", crate::wish("tok_timeout").to_string()).await });
    until(async || (bank.movements("tok_timeout").await.len() == 2).then_some(())).await;

    // The drain is endless, so this returns only because the silent call is cut.
    let folder = bank.stop().await;
    assert!(silent.join_next().await.unwrap().unwrap().is_err(), "the silent call was answered");

    let bank = open_in(folder, FOR_EVER).await;
    assert!(bank.authorise("k", "tok_timeout").await.is_replay());
    assert_eq!(bank.movements("tok_timeout").await, ["authorise 4200 k", "capture 4200 k"]);
}

#[tokio::test]
async fn a_stop_finishes_what_is_running() {
    let bank = open_slow(Duration::from_millis(300)).await;
    let mut running = JoinSet::new();
    let client = bank.client.clone();
    running.spawn(async move { client.authorise("k", "tok_slow").await });
    bank.until_claimed("k").await;

    bank.stop().await;
    assert_eq!(running.join_next().await.unwrap().unwrap().status, 201);
}

#[tokio::test]
async fn a_stop_finishes_what_runs_for_a_caller_that_went_away() {
    let bank = open_slow(Duration::from_millis(300)).await;
    let mut caller = JoinSet::new();
    let client = bank.client.clone();
    caller.spawn(async move { client.authorise("k", "tok_slow").await });
    bank.until_claimed("k").await;
    caller.shutdown().await;

    let bank = open_in(bank.stop().await, FOR_EVER).await;
    assert!(bank.authorise("k", "tok_slow").await.is_replay());
}

#[tokio::test]
async fn a_stop_has_a_hard_limit() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::new(format!("http://{address}"));
    let config = bank::Config {
        database_url: database_url(&folder),
        slow: FOR_EVER,
        drain: Duration::from_millis(1),
        ..bank::Config::parse_from(["bank"])
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(bank::serve(listener, config, async { stopped.await.unwrap() }));

    // One call that takes for ever, and one whose body never arrives.
    let mut half = TcpStream::connect(address).await.unwrap();
    let head = b"POST /v1/authorisations HTTP/1.1\r\nhost: bank\r\nidempotency-key: h\r\ncontent-length: 9\r\n\r\n{";
    half.write_all(head).await.unwrap();
    let mut running = JoinSet::new();
    let merchant = client.clone();
    running
        .spawn(async move { merchant.try_post("/v1/authorisations", "k", crate::wish("tok_slow").to_string()).await });
    client.until_claimed("k").await;

    stop.send(()).unwrap();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    let mut told = String::new();
    half.read_to_string(&mut told).await.unwrap();
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 400"), "{told}");
    running.join_next().await.unwrap().unwrap().ok().inspect(|answer| answer.assert_refused(503, "unavailable"));
}

#[tokio::test]
async fn a_crash_between_claim_and_answer_loses_and_doubles_nothing() {
    let bank = open_slow(FOR_EVER).await;
    let mut running = JoinSet::new();
    let client = bank.client.clone();
    running.spawn(async move { client.try_post("/v1/authorisations", "k", crate::wish("tok_slow").to_string()).await });
    bank.until_claimed("k").await;

    let bank = open_in(bank.crash().await, Duration::from_millis(1)).await;
    assert!(bank.movements("tok_slow").await.is_empty());
    // The claim still knows its request, and refuses nobody who comes with the same.
    bank.authorise("k", "tok_visa").await.assert_refused(422, "idempotency_key_reused");
    let answer = bank.authorise("k", "tok_slow").await;
    assert_eq!((answer.status, answer.is_replay()), (201, false));
    assert_eq!(bank.authorise("k", "tok_slow").await.body, answer.body);
    assert_eq!(bank.movements("tok_slow").await, ["authorise 4200 k", "capture 4200 k"]);
}

#[tokio::test]
async fn a_bank_without_its_file_does_not_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = bank::Config {
        database_url: "sqlite:///nowhere/at/all/bank.db".to_owned(),
        ..bank::Config::parse_from(["bank"])
    };
    let served = bank::serve(listener, config, std::future::pending()).await;
    assert!(matches!(served, Err(bank::Error::Open(_))));
}
