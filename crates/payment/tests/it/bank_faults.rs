//! A bank that is down, slow to answer, or does not answer as agreed.

use std::net::Ipv4Addr;
use std::time::Duration;

use clap::Parser;
use proto::payment::v1::PaymentState;
use tokio::net::TcpSocket;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::stage::{CAPTURED_ONCE, Stage, canned_bank, charge, is_replayed, open_bank, payment};

#[tokio::test]
async fn a_bank_that_stumbles_is_asked_again() {
    let stage = Stage::set().await;
    let request = charge("tok_flaky");
    let answer = stage.charge(&request).await.unwrap();
    let trace = stage.trace(answer.metadata()).await;
    assert_eq!(payment(Ok(answer)).state(), PaymentState::Captured);
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);

    let attempts = trace.spans().iter().filter(|span| span.name == "POST /v1/authorisations");
    let resends: Vec<_> = attempts.map(|span| span.attribute("http.request.resend_count")).collect();
    assert_eq!(resends, [None, Some("1"), Some("2")]);
}

#[tokio::test]
async fn a_bank_that_is_down_is_unavailable_and_nothing_is_decided() {
    let stage = Stage::set().await;
    let request = charge("tok_down");
    for _ in 0..2 {
        let status = stage.charge(&request).await.unwrap_err();
        assert_unavailable(&status);
        assert!(!is_replayed(status.metadata()));
        let trace = stage.trace(status.metadata()).await;
        let id = trace.span("INTERNAL", "charge").attribute("payment.id").unwrap();
        assert_eq!(stage.payment(id).await.unwrap().state(), PaymentState::Pending);
    }
}

#[tokio::test]
async fn the_same_key_resumes_when_the_bank_is_back() {
    // Bound but not listening: the port is ours, and connections to it are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let bank = socket.local_addr().unwrap();
    let stage = Stage::facing(bank, payment::Config::parse_from(["payment"])).await;
    let request = charge("tok_visa");
    assert_unavailable(&stage.charge(&request).await.unwrap_err());

    // Also in another process, on what the first one left.
    let stage = stage.restart().await;
    assert_unavailable(&stage.charge(&request).await.unwrap_err());

    open_bank(socket.listen(64).unwrap(), bank::Config::parse_from(["bank"]), &stage.dir);
    let answer = stage.charge(&request).await.unwrap();
    assert!(!is_replayed(answer.metadata()));
    assert_eq!(payment(Ok(answer)).state(), PaymentState::Captured);
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
}

#[tokio::test]
async fn a_bank_that_does_not_answer_is_unknown_until_the_same_key_asks_again() {
    let stage = Stage::with(|config, _| config.bank_timeout = Duration::from_secs(1)).await;
    let request = charge("tok_timeout");
    let answer = stage.charge(&request).await.unwrap();
    let trace = stage.trace(answer.metadata()).await;
    let pending = payment(Ok(answer));
    assert_eq!(pending.state(), PaymentState::Pending);
    assert_eq!(stage.payment(&pending.id).await.unwrap(), pending);
    // The money may have moved: asking again is the caller's decision.
    trace.span("CLIENT", "POST /v1/authorisations");

    let answer = stage.charge(&request).await.unwrap();
    assert!(!is_replayed(answer.metadata()));
    let settled = payment(Ok(answer));
    assert_eq!((settled.state(), &settled.id), (PaymentState::Captured, &pending.id));
    assert_eq!(stage.movements(&request.order_id).await, CAPTURED_ONCE);
    assert!(is_replayed(stage.charge(&request).await.unwrap().metadata()));
}

#[tokio::test]
async fn an_answer_that_is_not_understood_is_unknown() {
    let captured = r#"{"id":"txn_1","state":"captured"}"#;
    check("", "", PaymentState::Pending).await;
    check("HTTP/1.1 500 Internal Server Error", captured, PaymentState::Pending).await;
    check("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/", captured, PaymentState::Pending).await;
    check("HTTP/1.1 400 Bad Request", r#"{"error":{"code":"invalid_request"}}"#, PaymentState::Pending).await;
    check("HTTP/1.1 201 Created", "captured", PaymentState::Pending).await;
    check("HTTP/1.1 201 Created", r#"{"id":"txn_1","state":"authorised"}"#, PaymentState::Pending).await;
    check("HTTP/1.1 402 Payment Required", "declined", PaymentState::Pending).await;

    let padded = |length: usize| format!("{captured}{}", " ".repeat(length - captured.len()));
    check("HTTP/1.1 201 Created", &padded(64 * 1024), PaymentState::Captured).await;
    check("HTTP/1.1 201 Created", &padded(64 * 1024 + 1), PaymentState::Pending).await;
}

/// Charges through a bank that answers with `head` and `body`, or hangs up where both are empty.
async fn check(head: &str, body: &str, expected: PaymentState) {
    let answer = match head {
        "" => String::new(),
        _ => format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()),
    };
    let (bank, _) = canned_bank(answer).await;
    let stage = Stage::facing(bank, payment::Config::parse_from(["payment"])).await;
    let answered = payment(stage.charge(&charge("tok_visa")).await);
    assert_eq!(answered.state(), expected, "{head} {body:.80}");
}

#[track_caller]
fn assert_unavailable(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
}
