use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header;
use prost::Message;
use serde_json::json;

use crate::body::{self, Encoding};
use crate::error::Refusal;
use crate::signal::{Logs, Metrics, Signal, Traces};
use crate::store::{Rejected, Store};

/// OTLP/HTTP: one path for each signal.
pub(crate) fn routes(store: Store) -> Router {
    Router::new()
        .route("/v1/traces", post(export::<Traces>))
        .route("/v1/metrics", post(export::<Metrics>))
        .route("/v1/logs", post(export::<Logs>))
        .fallback(async |request: Request| refuse(&request, Refusal::UnknownPath))
        .method_not_allowed_fallback(async |request: Request| refuse(&request, Refusal::WrongMethod))
        .with_state(store)
}

async fn export<S: Signal>(State(store): State<Store>, request: Request) -> Response {
    let encoding = match Encoding::of(request.headers()) {
        Ok(encoding) => encoding,
        Err(refusal) => return refuse(&request, refusal),
    };
    match keep::<S>(&store, encoding, request).await {
        Ok(rejected) => answer::<S>(encoding, rejected),
        Err(refusal) => refusal.answer(encoding),
    }
}

async fn keep<S: Signal>(store: &Store, encoding: Encoding, request: Request) -> Result<Rejected, Refusal> {
    let (head, body) = request.into_parts();
    let body = body::read(&head.headers, body).await?;
    Ok(S::keep(store, encoding.decode::<S>(&body)?))
}

fn answer<S: Signal>(encoding: Encoding, rejected: Rejected) -> Response {
    let body = match encoding {
        Encoding::Protobuf => S::answer(rejected).encode_to_vec(),
        Encoding::Json => {
            let answer = match rejected.into_parts() {
                // 64-bit integers are strings in protobuf's JSON.
                Some((count, why)) => json!({"partialSuccess": {S::REJECTED: count.to_string(), "errorMessage": why}}),
                None => json!({}),
            };
            answer.to_string().into_bytes()
        }
    };
    ([(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
}

/// Refuses in the request's encoding, or in JSON when it has none we know.
fn refuse(request: &Request, refusal: Refusal) -> Response {
    refusal.answer(Encoding::of(request.headers()).unwrap_or(Encoding::Json))
}
