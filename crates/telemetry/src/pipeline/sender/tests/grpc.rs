use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::*;

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

async fn refused_with(status: Status) -> Failure {
    let collector = GrpcCollector::answering([Err(status)]);
    failure_of(&sender_to(collector.serve().await, "grpc", &[])).await
}

#[tokio::test]
async fn requests_of_all_signals_arrive_with_their_headers() {
    for signal in SIGNALS {
        let collector = GrpcCollector::answering([]);
        let endpoint = format!("http://{}", collector.serve().await);
        let variables = [("ENDPOINT", &*endpoint), ("HEADERS", "authorization=Bearer%20abc,X-Scope=1")];
        // Empty messages: the same for all signals.
        let sent = Bytes::from_static(&[10, 0, 10, 0]);
        assert_eq!(sender_of(signal, &variables).attempt(sent.clone()).await.unwrap(), None);
        let [(headers, received)] = &collector.received()[..] else { panic!("{signal:?}") };
        assert_eq!(received, &sent);
        assert_eq!(headers["authorization"], "Bearer abc");
        assert_eq!(headers["x-scope"], "1");
        let agent = headers["user-agent"].to_str().unwrap();
        assert!(agent.starts_with(USER_AGENT), "{agent}");
        assert!(!headers.contains_key("grpc-encoding"));
    }
}

#[tokio::test]
async fn requests_are_compressed_if_they_are_to_be() {
    let collector = GrpcCollector::answering([]);
    let sender = sender_to(collector.serve().await, "grpc", &[("COMPRESSION", "gzip")]);
    sender.attempt(request("small")).await.unwrap();
    let [(headers, received)] = &collector.received()[..] else { panic!() };
    assert_eq!(headers["grpc-encoding"], "gzip");
    assert_eq!(received, &request("small"));
}

#[tokio::test]
async fn what_a_collector_takes_in_part_is_told_of_every_signal() {
    for signal in SIGNALS {
        let collector = GrpcCollector::answering([Ok((2, "too old")), Ok((0, "too many")), Ok((0, "")), Ok((-1, ""))]);
        let endpoint = format!("http://{}", collector.serve().await);
        let sender = sender_of(signal, &[("ENDPOINT", &endpoint)]);
        let rejected = |items, message: &str| Some(Rejected { items, message: message.to_owned() });
        for expected in [rejected(2, "too old"), rejected(0, "too many"), None, None] {
            assert_eq!(sender.send(Bytes::new(), |_| {}).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn each_code_says_what_becomes_of_a_request() {
    use Verdict::{BadRequest, Full, Refused, Transient};
    for (code, verdict, name) in [
        (Code::Cancelled, Transient, "CANCELLED"),
        (Code::Unknown, Refused, "UNKNOWN"),
        (Code::InvalidArgument, BadRequest, "INVALID_ARGUMENT"),
        (Code::DeadlineExceeded, Transient, "DEADLINE_EXCEEDED"),
        (Code::NotFound, Refused, "NOT_FOUND"),
        (Code::AlreadyExists, Refused, "ALREADY_EXISTS"),
        (Code::PermissionDenied, Refused, "PERMISSION_DENIED"),
        (Code::ResourceExhausted, Full, "RESOURCE_EXHAUSTED"),
        (Code::FailedPrecondition, Refused, "FAILED_PRECONDITION"),
        (Code::Aborted, Transient, "ABORTED"),
        (Code::OutOfRange, Transient, "OUT_OF_RANGE"),
        (Code::Unimplemented, Refused, "UNIMPLEMENTED"),
        (Code::Internal, Refused, "INTERNAL"),
        (Code::Unavailable, Transient, "UNAVAILABLE"),
        (Code::DataLoss, Transient, "DATA_LOSS"),
        (Code::Unauthenticated, Refused, "UNAUTHENTICATED"),
    ] {
        let failure = refused_with(Status::new(code, "because")).await;
        assert_eq!((failure.verdict, failure.error_type(), failure.retry_after), (verdict, name, None));
        tells(&failure, &[&format!("{code:?} because")]);
    }
}

#[tokio::test]
async fn a_collector_says_when_it_wants_to_be_asked_again() {
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        let details = ErrorDetails::with_retry_info(Some(PAUSE));
        let failure = refused_with(Status::with_error_details(code, "later", details)).await;
        assert_eq!((failure.verdict, failure.retry_after), (Verdict::Transient, Some(PAUSE)), "{code:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_never_sent_again() {
    let go = Status::resource_exhausted("grpc: received message larger than max (5000000 vs. 4194304)");
    let rust =
        Status::out_of_range("Error, decoded message length too large: found 5000000 bytes, the limit is: 4194304");
    for status in [go, rust] {
        let failure = refused_with(status).await;
        assert_eq!(failure.verdict, Verdict::BadRequest, "{failure}");
        tells(&failure, &["fewer items per request"]);
    }
    // What tonic itself says: its servers take no more than 4 MiB unless they are told to.
    let collector = GrpcCollector::answering([]);
    let sender = sender_to(collector.serve().await, "grpc", &[]);
    let failure = sender.attempt(request(&"x".repeat(5_000_000))).await.unwrap_err();
    assert_eq!(failure.verdict, Verdict::BadRequest, "{failure}");
}

#[tokio::test]
async fn what_to_do_is_told() {
    for status in [Status::unauthenticated("who?"), Status::permission_denied("you?")] {
        tells(&refused_with(status).await, &["OTEL_EXPORTER_OTLP_HEADERS"]);
    }
    tells(&refused_with(Status::unimplemented("")).await, &["takes no spans here: OTEL_TRACES_EXPORTER=none"]);
}
