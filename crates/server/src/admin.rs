//! The admin port: what an operator and an orchestrator ask, over plain HTTP.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use telemetry::{ExportStatus, SamplingReport, Telemetry};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::accept::Acceptor;
use crate::connection::Patience;
use crate::readiness::{Checked, Readiness};
use crate::stop::Stop;

/// A few probes and a person; who holds more open is no operator.
const MAX_CONNECTIONS: u32 = 64;

/// One request and its answer need no more. It also ends a request that never becomes whole: axum has no limit of its
/// own for that.
const PATIENCE: Patience =
    Patience { preface: 1, preface_timeout: Duration::from_secs(5), lifetime: Some(Duration::from_secs(10)) };

/// Prometheus's text format ("Exposition formats").
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the admin port of `service` until dropped; its connections end when `stop` cuts them.
pub(crate) async fn serve(
    listener: TcpListener,
    service: &'static str,
    readiness: watch::Receiver<Readiness>,
    telemetry: &Telemetry,
    stop: Stop,
) -> Infallible {
    let (told, measured) = (telemetry.clone(), telemetry.clone());
    let router = Router::new()
        .route("/", get(move || async move { index(service) }))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/telemetry", get(move || async move { Json(Told::of(&told)) }))
        .route("/metrics", get(move || async move { ([(CONTENT_TYPE, METRICS)], measured.export_metrics()) }))
        .layer(map_response(close))
        // Measured, but no spans: every probe would be a trace.
        .layer(telemetry.http_server().quiet(|_| true))
        .with_state(readiness);
    let acceptor = Acceptor::new(listener, MAX_CONNECTIONS, PATIENCE, stop);
    // Answers only when told to stop gracefully, and it is not.
    let _ = axum::serve(acceptor, router).await;
    std::future::pending().await
}

fn index(service: &str) -> String {
    format!(
        "{service}: the admin port\n\n\
         /livez      200 as long as the process runs\n\
         /readyz     200 when the service can do its work, else 503; names each check\n\
         /telemetry  which traces are sampled and why, where they are exported to, and what became of them\n\
         /metrics    the same of the export, for Prometheus\n"
    )
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    stopping: bool,
    checks: Vec<Checked>,
}

/// The body of `/telemetry`.
#[derive(Serialize)]
struct Told {
    /// What the clock says here, in seconds since 1970: who asks can tell whether it is wrong.
    now: f64,
    sampling: SamplingReport,
    export: ExportStatus,
}

impl Told {
    fn of(telemetry: &Telemetry) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Self { now, sampling: telemetry.sampling(), export: telemetry.exports() }
    }
}

async fn readyz(State(readiness): State<watch::Receiver<Readiness>>) -> Response {
    let now = readiness.borrow().clone();
    let code = if now.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Ready { ready: now.is_ready(), stopping: now.is_stopping(), checks: now.checks().to_vec() };
    (code, Json(body)).into_response()
}

/// Ends the connection after its answer, so that none is idle when its lifetime ends.
async fn close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
