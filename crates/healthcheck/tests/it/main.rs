//! What is told of each answer, asked of real sockets.

#![allow(clippy::unwrap_used, reason = "tests")]
#![forbid(unsafe_code)]

use healthcheck::{Error, get, url};
use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn listen() -> (TcpListener, Uri) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asked = url(&format!("http://{}/readyz", listener.local_addr().unwrap())).unwrap();
    (listener, asked)
}

/// Asks somebody who answers with these bytes and hangs up. Gives the request's first line, too.
async fn answered(bytes: &str) -> (Result<(), Error>, String) {
    let (listener, asked) = listen().await;
    tokio::join!(get(&asked), async {
        let (mut caller, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 1024];
        let length = caller.read(&mut request).await.unwrap();
        caller.write_all(bytes.as_bytes()).await.unwrap();
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        request.lines().next().unwrap_or_default().to_owned()
    })
}

/// What is told of these bytes as an answer, after the URL.
async fn told(bytes: &str) -> String {
    let told = answered(bytes).await.0.unwrap_err().to_string();
    let (url, told) = told.split_once(' ').unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/readyz"), "{url}");
    told.to_owned()
}

#[tokio::test]
async fn any_2xx_is_well() {
    for head in ["HTTP/1.1 200 OK", "HTTP/1.1 204 No Content", "HTTP/1.0 200 OK"] {
        let (checked, request) = answered(&format!("{head}\r\n\r\n")).await;
        checked.unwrap();
        assert_eq!(request, "GET /readyz HTTP/1.1");
    }
}

#[tokio::test]
async fn any_other_status_is_told_with_the_first_line_of_the_body() {
    assert_eq!(
        told("HTTP/1.1 503 Service Unavailable\r\n\r\n\r\n  not yet \x1b[31mready\x1b[0m\nsecond").await,
        "answered 503 Service Unavailable: not yet"
    );
    assert_eq!(told("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await, "answered 404 Not Found");
    // No other place is asked.
    assert_eq!(told("HTTP/1.1 302 Found\r\nlocation: /livez\r\n\r\n").await, "answered 302 Found");
}

#[tokio::test]
async fn of_a_long_line_only_the_beginning_is_told() {
    let line = format!("HTTP/1.1 500 Oops\r\n\r\n{}", "é".repeat(1000));
    assert_eq!(told(&line).await, format!("answered 500 Internal Server Error: {}", "é".repeat(300)));
}

#[tokio::test]
async fn a_body_that_is_too_long_or_breaks_off_leaves_the_status() {
    let long = format!("HTTP/1.1 500 Oops\r\n\r\n{}", "x".repeat(5000));
    let short = "HTTP/1.1 500 Oops\r\ncontent-length: 7\r\n\r\nx";
    for bytes in [long.as_str(), short] {
        assert_eq!(told(bytes).await, "answered 500 Internal Server Error");
    }
}

#[tokio::test]
async fn what_is_not_http_is_told() {
    for bytes in ["", "220 mail.example.com ESMTP\r\n"] {
        assert_eq!(told(bytes).await, "gave no answer that is HTTP/1");
    }
}

#[tokio::test]
async fn a_refused_connection_is_told() {
    let (listener, asked) = listen().await;
    drop(listener);
    let error = get(&asked).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to {asked}"));
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    assert!(cause.to_string().starts_with("Connection refused"), "{cause}");
}

// Time is paused: it runs as soon as nothing else does.
#[tokio::test(start_paused = true)]
async fn silence_is_told_after_three_seconds() {
    // The system takes the connection in, and nobody ever reads from it.
    let (_listener, asked) = listen().await;
    assert_eq!(get(&asked).await.unwrap_err().to_string(), format!("{asked} did not answer within 3s"));
}

#[tokio::test]
async fn a_url_with_a_password_is_not_asked_and_not_told() {
    let asked = url("http://ada:s3cret@127.0.0.1:1/readyz").unwrap();
    let error = get(&asked).await.unwrap_err();
    assert!(matches!(error, Error::Credentials), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}
