mod params;

mod json;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use self::params::Params;
use crate::Addresses;
use crate::error::{LegacyError, QueryError};
use crate::id::TraceId;
use crate::store::{Dependencies, Search, Store};

/// A trace id in a path, or how the path is not even text.
type PathId = Result<Path<String>, PathRejection>;

/// The read API: Jaeger's `/api/v3`, of its older `/api` what the newer has nothing for, and what Jaeger has nothing
/// for.
pub(crate) fn routes(store: Store, addresses: Addresses) -> Router {
    let guide = guide(addresses);
    Router::new()
        .route("/", get(async move || guide))
        .route("/api/v3/services", get(services))
        .route("/api/v3/operations", get(operations))
        .route("/api/v3/traces", get(search))
        .route("/api/v3/traces/{trace_id}", get(trace))
        .route("/api/dependencies", get(dependencies))
        .route("/api/logs", get(logs_without_trace))
        .route("/api/logs/{trace_id}", get(logs))
        .route("/api/stats", get(stats))
        .fallback(async || QueryError::UnknownPath)
        .method_not_allowed_fallback(async || QueryError::WrongMethod)
        .with_state(store)
}

async fn services(State(store): State<Store>) -> Json<Value> {
    Json(json!({"services": store.services()}))
}

async fn operations(State(store): State<Store>, Query(params): Query<Params>) -> Json<Value> {
    let wanted = params.get("spanKind");
    let operations = store.operations(params.get("service").unwrap_or_default());
    let operations = operations.iter().map(|(name, kind)| (name, json::kind(*kind)));
    let operations = operations.filter(|(_, kind)| wanted.is_none_or(|wanted| wanted == *kind));
    let operations = operations.map(|(name, kind)| json!({"name": name, "spanKind": kind}));
    Json(json!({"operations": operations.collect::<Vec<_>>()}))
}

async fn trace(State(store): State<Store>, id: PathId) -> Result<Json<Value>, QueryError> {
    let spans = store.trace(trace_id(id)?);
    if spans.is_empty() { Err(QueryError::NoTraces) } else { Ok(Json(json::spans(spans))) }
}

async fn search(State(store): State<Store>, Query(params): Query<Params>) -> Result<Json<Value>, QueryError> {
    let traces = store.search(&Search::try_from(&params)?);
    if traces.is_empty() { Err(QueryError::NoTraces) } else { Ok(Json(json::spans(traces.concat()))) }
}

async fn dependencies(State(store): State<Store>, Query(params): Query<Params>) -> Result<Json<Value>, LegacyError> {
    let calls = store.dependencies(&Dependencies::try_from(&params).map_err(LegacyError)?);
    Ok(Json(json::dependencies(&calls)))
}

async fn logs(State(store): State<Store>, id: PathId) -> Result<Json<Value>, QueryError> {
    let logs = store.logs(trace_id(id)?);
    if logs.is_empty() { Err(QueryError::NoLogs) } else { Ok(Json(json::logs(logs))) }
}

async fn logs_without_trace(State(store): State<Store>) -> Json<Value> {
    Json(json::logs(store.logs_without_trace()))
}

async fn stats(State(store): State<Store>) -> Json<Value> {
    let (counts, points) = store.counts();
    Json(json!({
        "traces": counts.traces,
        "spans": counts.spans,
        "logs": counts.logs,
        "bytes": counts.bytes,
        "evicted": {"traces": counts.evicted_traces, "spans": counts.evicted_spans, "logs": counts.evicted_logs},
        "rejected": {"spans": counts.rejected_spans, "logs": counts.rejected_logs},
        "duplicateSpans": counts.duplicate_spans,
        "metricPoints": points.total,
        "metrics": points.by_service,
    }))
}

fn trace_id(id: PathId) -> Result<TraceId, QueryError> {
    let Path(text) = id.map_err(|error| QueryError::parameter("trace_id", error))?;
    text.parse().map_err(|error| QueryError::parameter("trace_id", error))
}

fn guide(Addresses { grpc, http, query }: Addresses) -> String {
    format!(
        "collector: an OTLP receiver that keeps what it gets in memory

Send to it
  OTLP/gRPC   http://{grpc}
  OTLP/HTTP   http://{http}   POST /v1/traces, /v1/metrics, /v1/logs; protobuf or JSON, gzip accepted

Read from it (the first five as in Jaeger)
  http://{query}/api/v3/services
  http://{query}/api/v3/operations?service=NAME&spanKind=server
  http://{query}/api/v3/traces/TRACE_ID
  http://{query}/api/v3/traces?query.startTimeMin=RFC3339&query.startTimeMax=RFC3339&query.serviceName=NAME
  http://{query}/api/dependencies?endTs=MILLISECONDS_SINCE_1970&lookback=MILLISECONDS
  http://{query}/api/logs/TRACE_ID   (without an id: the logs that belong to no trace)
  http://{query}/api/stats
"
    )
}
