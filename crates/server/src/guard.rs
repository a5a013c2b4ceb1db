//! Refuses what is not a gRPC call before anything of it reaches a handler.
//!
//! tonic runs a handler for a `GET`, for any content type, and for a `grpc-timeout` it cannot read, then without any
//! deadline. The gRPC specification wants 405, 415 and an error instead:
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
//!
//! | the request | the answer |
//! |---|---|
//! | a method other than `POST` | HTTP 405, `allow: POST`, INTERNAL |
//! | a content type other than `application/grpc`, alone or with `+...` or `;...` | HTTP 415, INTERNAL |
//! | a `grpc-timeout` that is not 1 to 8 digits and a unit, or stands there twice | INVALID_ARGUMENT naming it |

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tower_layer::Layer;
use tower_service::Service;

const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Puts a [`Guard`] before a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardLayer;

/// The service [`GuardLayer`] makes: passes gRPC calls on and answers everything else itself.
#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    inner: S,
}

// === impl GuardLayer ===

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner }
    }
}

// === impl Guard ===

impl<S, B, R> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<R>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match refusal(&request) {
            Some(refusal) => Either::Left(ready(Ok(refusal.into_response()))),
            None => Either::Right(self.inner.call(request)),
        }
    }
}

/// Why a request is no gRPC call.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Method,
    ContentType,
    Timeout,
}

fn refusal<B>(request: &Request<B>) -> Option<Refusal> {
    if request.method() != Method::POST {
        return Some(Refusal::Method);
    }
    if !is_grpc(request.headers().get(CONTENT_TYPE)) {
        return Some(Refusal::ContentType);
    }
    (!has_readable_timeout(request.headers())).then_some(Refusal::Timeout)
}

/// Whether the content type is gRPC's own: `application/grpc-web` is not.
fn is_grpc(content_type: Option<&HeaderValue>) -> bool {
    content_type
        .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Whether the headers hold no time-out, or one of the specification's form.
fn has_readable_timeout(headers: &HeaderMap) -> bool {
    let mut timeouts = headers.get_all(GRPC_TIMEOUT).iter();
    match (timeouts.next(), timeouts.next()) {
        (None, _) => true,
        (Some(timeout), None) => is_timeout(timeout.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

fn is_timeout(text: &[u8]) -> bool {
    match text.split_last() {
        Some((b'H' | b'M' | b'S' | b'm' | b'u' | b'n', digits)) => {
            (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

// === impl Refusal ===

impl Refusal {
    fn into_response<R: Default>(self) -> Response<R> {
        match self {
            Self::Method => {
                let mut response = Status::internal("a gRPC call is a POST").into_http();
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                response
            }
            Self::ContentType => {
                let mut response = Status::internal("the content type of a gRPC call is application/grpc").into_http();
                *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                response
            }
            Self::Timeout => {
                let description = "must be 1 to 8 digits and a unit, one of H, M, S, m, u, n";
                let details = ErrorDetails::with_bad_request_violation(GRPC_TIMEOUT, description);
                let message = format!("{GRPC_TIMEOUT}: {description}");
                Status::with_error_details(Code::InvalidArgument, message, details).into_http()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(timeout: &str, readable: bool) {
        assert_eq!(is_timeout(timeout.as_bytes()), readable, "{timeout:?}");
    }

    #[test]
    fn timeouts_follow_the_specification() {
        for unit in ["H", "M", "S", "m", "u", "n"] {
            check(&format!("1{unit}"), true);
        }
        check("0n", true);
        check("99999999S", true);
        check("100000000S", false);
        check("", false);
        check("S", false);
        check("1", false);
        check("1s", false);
        check("-1S", false);
        check("+1S", false);
        check("1.5S", false);
        check(" 1S", false);
        check("1S ", false);
        check("1SS", false);
        check("0x1S", false);
    }

    #[test]
    fn content_types_are_grpc_alone_or_with_a_format_or_parameters() {
        let is = |value: &'static str| is_grpc(Some(&HeaderValue::from_static(value)));
        assert!(is("application/grpc"));
        assert!(is("application/grpc+proto"));
        assert!(is("application/grpc; charset=utf-8"));
        assert!(!is("application/grpc-web"));
        assert!(!is("application/grpcx"));
        assert!(!is("application/json"));
        assert!(!is(""));
        assert!(!is_grpc(None));
    }
}
