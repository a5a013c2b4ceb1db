//! Whom spans are sent to, and who tells of them, when something is wrong.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpSocket;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tonic::Code;

use crate::shop::{bind, hold};

/// An address that refuses connections, for as long as the socket lives.
pub(super) async fn nowhere() -> (String, TcpSocket) {
    let address = bind().await.local_addr().unwrap();
    (format!("http://{address}"), hold(address).await)
}

/// An OTLP/gRPC receiver that answers everything with this code.
pub(super) async fn answering(code: Code, message: &'static str) -> String {
    let listener = bind().await;
    let address = listener.local_addr().unwrap();
    let refuse = async move || {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert("grpc-status", (code as i32).into());
        headers.insert("grpc-message", message.parse().unwrap());
        headers
    };
    telemetry::spawn(async move { axum::serve(listener, Router::new().fallback(refuse)).await.unwrap() });
    format!("http://{address}")
}

/// A port that speaks TLS, with a certificate that nobody vouches for.
pub(super) async fn untrusted() -> String {
    let listener = bind().await;
    let address = listener.local_addr().unwrap();
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![issued.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    telemetry::spawn(async move {
        loop {
            // Whoever comes does not like what it is shown.
            let _ = acceptor.accept(listener.accept().await.unwrap().0).await;
        }
    });
    format!("https://{address}")
}

/// An admin port whose clock is off by so many seconds.
pub(super) async fn with_wrong_clock(admin: SocketAddr, ahead: f64) -> String {
    let listener = bind().await;
    let address = listener.local_addr().unwrap().to_string();
    let shifted = async move || {
        let mut told: Value = reqwest::get(format!("http://{admin}/telemetry")).await.unwrap().json().await.unwrap();
        told["now"] = (told["now"].as_f64().unwrap() + ahead).into();
        Json(told)
    };
    let routes = Router::new().route("/telemetry", get(shifted));
    telemetry::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}
