use tonic::Status;

/// What a bench and the programs that it runs fail with.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a collector answers that is not there for now.
pub(crate) fn not_now() -> Status {
    Status::unavailable("not now")
}

/// What a collector answers to a request that it cannot read.
pub(crate) fn unreadable(error: &Error) -> Status {
    Status::internal(error.to_string())
}
