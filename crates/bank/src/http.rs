//! The HTTP side: routes and handlers. Parse, act, answer.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State,
        rejection::{BytesRejection, FailedToBufferBody, PathRejection, QueryRejection},
    },
    http::request::Parts,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    answer::{AuthorisationBody, Statement},
    authorisation::Movement,
    bank::{Bank, Reply},
    connections::Line,
    refusal::Refusal,
    request::{self, Invalid},
};

/// The most bytes that a request's body may have.
const MAX_BODY: usize = 64 * 1024;
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";

/// The bank's whole surface.
pub(crate) fn router(bank: Bank) -> Router {
    Router::new()
        .route("/v1/authorisations", post(authorise).get(find_authorisation))
        .route("/v1/authorisations/{id}", get(get_authorisation))
        .route("/v1/authorisations/{id}/capture", post(capture))
        .route("/v1/authorisations/{id}/refund", post(refund))
        .route("/v1/ledger", get(statement))
        .route("/healthz", get(health))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(bank)
}

async fn authorise(
    State(bank): State<Bank>,
    ConnectInfo(line): ConnectInfo<Line>,
    Key(key): Key,
    Body(body): Body,
) -> Result<Response, Refusal> {
    match request::new_authorisation(&body) {
        Ok((wish, fingerprint)) => Ok(reply(bank.authorise(key, wish, fingerprint).await?, &line).await),
        Err(invalid) => Err(bank.refuse(&key, invalid).await),
    }
}

async fn capture(
    bank: State<Bank>,
    line: ConnectInfo<Line>,
    id: Id,
    key: Key,
    body: Body,
) -> Result<Response, Refusal> {
    change(Movement::Capture, bank, line, id, key, body).await
}

async fn refund(bank: State<Bank>, line: ConnectInfo<Line>, id: Id, key: Key, body: Body) -> Result<Response, Refusal> {
    change(Movement::Refund, bank, line, id, key, body).await
}

async fn change(
    movement: Movement,
    State(bank): State<Bank>,
    ConnectInfo(line): ConnectInfo<Line>,
    Id(id): Id,
    Key(key): Key,
    Body(body): Body,
) -> Result<Response, Refusal> {
    match request::change(&body, movement, id) {
        Ok(fingerprint) => Ok(reply(bank.change(key, id, movement, fingerprint).await?, &line).await),
        Err(invalid) => Err(bank.refuse(&key, invalid).await),
    }
}

async fn get_authorisation(State(bank): State<Bank>, Id(id): Id) -> Result<Json<AuthorisationBody>, Refusal> {
    Ok(Json(bank.authorisation(id).await?.into()))
}

#[derive(Deserialize)]
struct ByKey {
    #[serde(default)]
    idempotency_key: String,
}

async fn find_authorisation(
    State(bank): State<Bank>,
    query: Result<Query<ByKey>, QueryRejection>,
) -> Result<Json<AuthorisationBody>, Refusal> {
    let Query(by) = query.map_err(malformed_query)?;
    let key = request::text("idempotency_key", &by.idempotency_key)?;
    Ok(Json(bank.authorisation_by_key(&key).await?.into()))
}

#[derive(Deserialize)]
struct Filter {
    reference: Option<String>,
}

async fn statement(
    State(bank): State<Bank>,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Statement>, Refusal> {
    let Query(filter) = query.map_err(malformed_query)?;
    let entries = bank.statement(filter.reference.as_deref()).await?;
    Ok(Json(Statement { entries }))
}

async fn health(State(bank): State<Bank>) -> Result<Json<Value>, Refusal> {
    bank.check().await?;
    Ok(Json(json!({ "status": "ok" })))
}

/// Sends what the bank has decided, or lets the caller wait for ever.
async fn reply(reply: Reply, line: &Line) -> Response {
    match reply {
        Reply::Decided(answer) => answer.into_response(),
        Reply::Replayed(answer) => ([(IDEMPOTENT_REPLAYED, "true")], answer).into_response(),
        Reply::Silence => line.stay_silent().await,
    }
}

fn malformed_query(_: QueryRejection) -> Refusal {
    Invalid { field: None, reason: "the query is malformed" }.into()
}

/// The idempotency key of a changing call.
struct Key(String);

/// The authorisation that a path names. What cannot be an id names nothing.
struct Id(Uuid);

/// The body, not longer than it may be.
struct Body(Bytes);

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut sent = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let (Some(key), None) = (sent.next(), sent.next()) else {
            return Err(Invalid::new("Idempotency-Key", "must be sent exactly once").into());
        };
        let key = key.to_str().map_err(|_| Invalid::new("Idempotency-Key", "must be ASCII"))?;
        Ok(Key(request::text("Idempotency-Key", key)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let id = Path::from_request_parts(parts, state).await;
        id.map(|Path(id)| Id(id)).map_err(|_: PathRejection| Refusal::NotFound)
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        Bytes::from_request(request, state).await.map(Body).map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Refusal::TooLarge,
            _ => Invalid { field: None, reason: "the body did not arrive whole" }.into(),
        })
    }
}
