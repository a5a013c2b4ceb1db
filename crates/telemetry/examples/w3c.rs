//! The service that W3C's own test harness for Trace Context asks for: it is told by `POST /test` whom to call, and calls
//! them in the trace it was called in.
//!
//! ```sh
//! cargo run -p telemetry --example w3c -- --listen 127.0.0.1:5000
//! # In another shell, with the harness (github.com/w3c/trace-context, directory `test`, needs Python and aiohttp):
//! STRICT_LEVEL=2 SPEC_LEVEL=2 python3 test.py http://127.0.0.1:5000/test
//! ```
//!
//! The body is a list of calls, `[{"url": "http://127.0.0.1:7777/callback/1", "arguments": []}]`: each `arguments` is
//! posted to its `url`, in order. Serves until Ctrl-C. Spans go to an OpenTelemetry collector at localhost:4317, or with
//! `OTEL_TRACES_EXPORTER=console` to stdout. If no collector listens, the program says so on stderr and works all the
//! same.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use opentelemetry::Context;
use telemetry::{Environment, Propagation, Service, TrustTrace};
use tokio::net::TcpListener;

/// Whom to call, and what to tell them.
#[derive(serde::Deserialize)]
struct Callee {
    url: String,
    #[serde(default)]
    arguments: serde_json::Value,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = telemetry::init(Service::new("w3c", "1.0.0"), Environment::from_process())?;
    let router = Router::new()
        .route("/test", post(call_all))
        .with_state(reqwest::Client::new())
        .layer(telemetry.http_server().trust(TrustTrace::All));
    let listener = TcpListener::bind(asked_address()?).await?;
    println!("listening on http://{}/test", listener.local_addr()?);

    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(interrupted()).await;
    // Flush after a failure too: those spans are the ones worth having.
    telemetry.shutdown(Duration::from_secs(3)).await;
    Ok(served?)
}

/// The address after `--listen`, or the one that the harness's own documentation uses.
fn asked_address() -> Result<SocketAddr, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(SocketAddr::from(([127, 0, 0, 1], 5000))),
        (Some("--listen"), Some(address)) => Ok(address.parse()?),
        _ => Err("usage: w3c [--listen ADDRESS:PORT]".into()),
    }
}

async fn interrupted() {
    // Where signals cannot be had, it serves until it is killed.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

async fn call_all(
    State(client): State<reqwest::Client>,
    Json(callees): Json<Vec<Callee>>,
) -> Result<Json<()>, StatusCode> {
    for callee in callees {
        call(&client, callee).await.map_err(|error| {
            tracing::warn!(%error, "a call failed");
            StatusCode::BAD_GATEWAY
        })?;
    }
    Ok(Json(()))
}

/// Makes one call in a span of its own, which is the callee's parent.
///
/// `telemetry.http_client(..)` would send `traceparent` alone, for it is made for peers outside; within a system of one's
/// own the whole context goes along.
#[tracing::instrument(skip_all)]
async fn call(client: &reqwest::Client, callee: Callee) -> Result<(), reqwest::Error> {
    let mut request = client.post(callee.url).json(&callee.arguments).build()?;
    Propagation::default().inject(&Context::current(), request.headers_mut());
    client.execute(request).await?;
    Ok(())
}
