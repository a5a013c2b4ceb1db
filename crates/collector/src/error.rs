use std::error::Error as StdError;
use std::fmt::Display;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use prost::Message;
use serde_json::json;
use tonic::{Code, Status};

use crate::body::{Encoding, MAX_BODY};

/// Why the collector stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener that was handed over has no local address.
    #[error("a listener has no address")]
    Address(#[source] std::io::Error),
    /// OTLP/gRPC can't be served any more.
    #[error("the gRPC server failed")]
    Grpc(#[source] tonic::transport::Error),
    /// OTLP/HTTP or the query API can't be served any more.
    #[error("an HTTP server failed")]
    Http(#[source] std::io::Error),
}

/// Why a request to OTLP/HTTP is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The text says what is wrong, for the sender to read.
    #[error("malformed body: {0}")]
    Malformed(String),
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the body would take far more memory than it has bytes")]
    Expands,
    #[error("the body did not come in time")]
    TooSlow,
    #[error("content type must be application/x-protobuf or application/json")]
    ContentType,
    #[error("content encoding must be gzip or identity")]
    ContentEncoding,
    #[error("nothing is here; there are /v1/traces, /v1/metrics and /v1/logs")]
    UnknownPath,
    #[error("method must be POST")]
    WrongMethod,
}

/// Why a request to the query API is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("malformed parameter {name}: {reason}")]
    Parameter { name: &'static str, reason: String },
    #[error("query.startTimeMin and query.startTimeMax are required")]
    NoTimeRange,
    #[error("No traces found")]
    NoTraces,
    #[error("No logs found")]
    NoLogs,
    #[error("nothing is here; / says what there is")]
    UnknownPath,
    #[error("method must be GET or HEAD")]
    WrongMethod,
}

/// The same, in the shape of Jaeger's older `/api`.
#[derive(Debug)]
pub(crate) struct LegacyError(pub(crate) QueryError);

/// `google.rpc.Status` without details: the body of every refusal in OTLP/HTTP.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Gives an answer the code that OTLP names, where tonic itself refused the request.
///
/// tonic calls a message that is too large OUT_OF_RANGE, which OTLP lets a sender retry, and one that it can't
/// decode INTERNAL. The services fail for no other reason.
pub(crate) fn in_otlp_codes<B: Default>(response: http::Response<B>) -> http::Response<B> {
    let Some(refused) = Status::from_header_map(response.headers()) else { return response };
    let code = match refused.code() {
        Code::OutOfRange => Code::ResourceExhausted,
        Code::Internal => Code::InvalidArgument,
        _ => return response,
    };
    Status::new(code, refused.message()).into_http()
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn malformed(cause: impl Display) -> Self {
        Self::Malformed(cause.to_string())
    }

    /// What it means that a body could not be read to its end.
    pub(crate) fn unread(error: axum::Error) -> Self {
        let too_large = error.source().is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        if too_large { Self::TooLarge } else { Self::malformed(error) }
    }

    /// The answer, its body a `google.rpc.Status` in `encoding`.
    pub(crate) fn answer(self, encoding: Encoding) -> Response {
        let (status, code) = self.codes();
        let (code, message) = (code as i32, self.to_string());
        let body = match encoding {
            Encoding::Protobuf => RpcStatus { code, message }.encode_to_vec(),
            Encoding::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
        };
        (status, [(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
    }

    fn codes(&self) -> (StatusCode, Code) {
        match self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Self::TooLarge | Self::Expands => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded),
            Self::ContentType | Self::ContentEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument),
            Self::UnknownPath => (StatusCode::NOT_FOUND, Code::NotFound),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
        }
    }
}

// === impl QueryError ===

impl QueryError {
    pub(crate) fn parameter(name: &'static str, reason: impl Display) -> Self {
        Self::Parameter { name, reason: reason.to_string() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Parameter { .. } | Self::NoTimeRange => StatusCode::BAD_REQUEST,
            Self::NoTraces | Self::NoLogs | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

impl IntoResponse for QueryError {
    /// Jaeger's shape.
    fn into_response(self) -> Response {
        let status = self.status();
        let error = json!({"error": {"httpCode": status.as_u16(), "message": self.to_string()}});
        (status, Json(error)).into_response()
    }
}

// === impl LegacyError ===

impl IntoResponse for LegacyError {
    fn into_response(self) -> Response {
        let status = self.0.status();
        let errors = json!([{"code": status.as_u16(), "msg": self.0.to_string()}]);
        (status, Json(json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors}))).into_response()
    }
}
