//! Says whose mistake a request is that tonic cannot read.
//!
//! tonic answers INTERNAL to bytes that are no message, as if the server had failed, and OUT_OF_RANGE to a message that
//! is too large, where gRPC has RESOURCE_EXHAUSTED
//! (<https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>).

use std::error::Error;

use http::Response;
use tonic::body::Body;
use tonic::{Code, Status};

/// The answer as the caller should have it.
///
/// A status that tonic makes while it reads a request has no source. A service's own INTERNAL has one: the cause, which
/// is what it is logged with.
pub(crate) fn corrected(answer: Response<Body>) -> Response<Body> {
    match answer.extensions().get::<Status>() {
        Some(status) if status.source().is_none() => match status.code() {
            Code::Internal => {
                Status::invalid_argument(format!("the request cannot be read: {}", status.message())).into_http()
            }
            Code::OutOfRange => Status::resource_exhausted(status.message()).into_http(),
            _ => answer,
        },
        _ => answer,
    }
}
