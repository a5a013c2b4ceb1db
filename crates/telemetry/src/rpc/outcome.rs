use std::error::Error;

use http::{HeaderMap, HeaderName, StatusCode};
use tonic::{Code, Status};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Which end of a call is observed. The same code is an error to a client that is none to its server
/// (semantic conventions 1.45, `docs/rpc/grpc.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Code,
    /// The status message, for people. May be empty.
    pub(crate) message: String,
    /// Whether the handler panicked, which the code does not say.
    pub(crate) is_panic: bool,
}

// === impl Outcome ===

impl Outcome {
    /// How many outcomes can be told apart by their code and `error.type`.
    pub(crate) const COUNT: usize = 18;

    /// Which of them this is: the number of its code, and the last for a panic.
    pub(crate) fn index(&self) -> usize {
        if self.is_panic { Self::COUNT - 1 } else { self.code as usize }
    }

    pub(crate) fn of_code(code: Code) -> Self {
        Self { code, message: String::new(), is_panic: false }
    }

    pub(crate) fn panic() -> Self {
        Self { code: Code::Internal, message: String::new(), is_panic: true }
    }

    /// What trailers, or the headers of a trailers-only answer, say; `None` if they say nothing.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        if headers.get(GRPC_STATUS)?.as_bytes() == b"0" {
            return Some(Self::of_code(Code::Ok));
        }
        let status = Status::from_header_map(headers)?;
        Some(Self { code: status.code(), message: status.message().to_owned(), is_panic: false })
    }

    /// What an answer means whose status never came
    /// (<https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>).
    pub(crate) fn of_missing_status(http: StatusCode) -> Self {
        Self::of_code(match http {
            StatusCode::BAD_REQUEST => Code::Internal,
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::Unimplemented,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
            _ => Code::Unknown,
        })
    }

    pub(crate) fn of_status(status: &Status) -> Self {
        Self { code: status.code(), message: status.message().to_owned(), is_panic: false }
    }

    /// The `error.type` of a call that counts as failed on `side`; `None` for one that does not.
    pub(crate) fn failure(&self, side: Side) -> Option<&'static str> {
        is_error(side, self.code).then(|| if self.is_panic { "panic" } else { code_name(self.code) })
    }
}

/// The status an error of the layers below stands for. tonic's own timer answers CANCELLED; what passed is a deadline.
pub(crate) fn status_of(error: Box<dyn Error + Send + Sync>) -> Status {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error.as_ref());
    while let Some(error) = cause {
        if error.is::<tonic::TimeoutExpired>() {
            return Status::deadline_exceeded("deadline exceeded");
        }
        cause = error.source();
    }
    Status::from_error(error)
}

/// The status table of `docs/rpc/grpc.md`.
fn is_error(side: Side, code: Code) -> bool {
    match code {
        Code::Ok => false,
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => side == Side::Client,
    }
}

/// The code's name as the conventions write it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_table_holds_for_all_codes() {
        let server_errors = [2, 4, 12, 13, 14, 15];
        for number in 0..=16 {
            let outcome = Outcome::of_code(Code::from_i32(number));
            let name = code_name(outcome.code);
            let expected = |failed: bool| failed.then_some(name);
            assert_eq!(outcome.index(), number as usize, "{name}");
            assert_eq!(outcome.failure(Side::Client), expected(number != 0), "client {name}");
            assert_eq!(outcome.failure(Side::Server), expected(server_errors.contains(&number)), "server {name}");
        }
    }

    #[test]
    fn a_panic_is_named() {
        assert_eq!(Outcome::panic().failure(Side::Server), Some("panic"));
        assert_eq!(Outcome::panic().index(), Outcome::COUNT - 1);
    }

    #[test]
    fn an_answer_without_a_status_is_judged_by_http() {
        assert_eq!(Outcome::of_missing_status(StatusCode::OK).code, Code::Unknown);
        assert_eq!(Outcome::of_missing_status(StatusCode::SERVICE_UNAVAILABLE).code, Code::Unavailable);
    }
}
