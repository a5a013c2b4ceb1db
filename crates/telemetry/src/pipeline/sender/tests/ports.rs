//! What is told of a port that is meant for something else.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tls::serve;
use super::*;
use crate::pipeline::certificates::Authority;

const GRPC_PORT: &str = "is this an OTLP/gRPC port? its number is 4317 mostly";
const HTTP_PORT: &str = "is this an OTLP/HTTP port? its number is 4318 mostly";
const NO_TLS: &str = "this port speaks no TLS: its URL begins with http://";

/// Nothing is lost for good, and the text holds all of these.
async fn check(endpoint: &str, protocol: &str, expected: &[&str]) {
    let sender = sender_of(Signal::Traces, &[("ENDPOINT", endpoint), ("PROTOCOL", protocol)]);
    let failure = failure_of(&sender).await;
    assert_ne!(failure.verdict, Verdict::BadRequest, "{failure}");
    tells(&failure, expected);
}

/// Answers whatever comes with these bytes and hangs up.
async fn saying(answer: &'static str) -> SocketAddr {
    let (listener, address) = bound().await;
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(async move {
        loop {
            answering(&listener, answer).await;
        }
    });
    address
}

/// The same once. Whoever is answered may not want to hear it.
async fn answering(listener: &TcpListener, answer: &str) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 1024]).await;
    let _ = stream.write_all(answer.as_bytes()).await;
}

#[tokio::test]
async fn grpc_on_a_port_of_http() {
    for body in ["", "{\"message\":\"no such page\"}"] {
        let address = HttpCollector::answering([(404, body); 9]).serve().await;
        check(&format!("http://{address}"), "grpc", &["404", GRPC_PORT]).await;
    }
    let old = saying("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    check(&format!("http://{old}"), "grpc", &[GRPC_PORT]).await;
}

#[tokio::test]
async fn http_on_a_port_of_grpc() {
    let address = GrpcCollector::answering([]).serve().await;
    for protocol in ["http/protobuf", "http/json"] {
        check(&format!("http://{address}"), protocol, &[HTTP_PORT]).await;
    }
    // What gRPC's own server says first, and that the client's preface is none.
    let go = saying("\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0").await;
    check(&format!("http://{go}"), "http/protobuf", &[HTTP_PORT]).await;
}

#[tokio::test]
async fn a_port_that_has_taken_a_request_is_the_right_one() {
    let taken = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (listener, address) = bound().await;
    let sender = sender_to(address, "http/protobuf", &[]);
    for (answer, is_guessed) in [("", true), (taken, false), ("", false)] {
        let (result, ()) = tokio::join!(sender.attempt(request("taken")), answering(&listener, answer));
        let told = result.err().map(|failure| failure.to_string()).unwrap_or_default();
        assert_eq!((told.contains(HTTP_PORT), told.is_empty()), (is_guessed, answer == taken), "{told}");
    }
}

#[tokio::test]
async fn tls_on_a_plain_port() {
    let grpc = GrpcCollector::answering([]).serve().await;
    let http = HttpCollector::answering([]).serve().await;
    let old = saying("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    for address in [grpc, http, old] {
        for protocol in ["grpc", "http/protobuf"] {
            check(&format!("https://{address}"), protocol, &[NO_TLS]).await;
        }
    }
}

#[tokio::test]
async fn plain_on_a_port_of_tls() {
    let authority = Authority::new();
    for port in ["grpc", "http/protobuf"] {
        let address = serve(port, &authority, None).await;
        for protocol in ["grpc", "http/protobuf"] {
            check(&format!("http://{address}"), protocol, &["if the port wants TLS, its URL begins with https://"])
                .await;
        }
    }
    // Some say it, by a status that otherwise tells of a bad request.
    let go = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    check(&format!("http://{}", saying(go).await), "http/protobuf", &["this port wants TLS"]).await;
}

#[tokio::test]
async fn a_port_of_the_other_protocol_with_tls() {
    let authority = Authority::new();
    let root = authority.file("root.pem", &authority.certificate());
    for (port, protocol, expected) in
        [("grpc", "http/protobuf", HTTP_PORT), ("http/protobuf", "grpc", GRPC_PORT), ("http/json", "grpc", GRPC_PORT)]
    {
        let endpoint = format!("https://{}", serve(port, &authority, None).await);
        let variables = [("ENDPOINT", &*endpoint), ("PROTOCOL", protocol), ("CERTIFICATE", &root)];
        tells(&failure_of(&sender_of(Signal::Traces, &variables)).await, &[expected]);
    }
}
