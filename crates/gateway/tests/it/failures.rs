//! Which failures of the order service a caller sees, and how.

use std::collections::HashMap;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::fake_order::{FakeOrder, add_headers};
use crate::line::Line;
use crate::stage::{Stage, bind, trace_id};

/// A status as the order service would send it, with headers of which callers may see one.
fn sent(code: Code) -> Status {
    let details = ErrorDetails::with_error_info("A_REASON", "shop.throughline", HashMap::new());
    let mut status = Status::with_error_details(code, "the order service's words", details);
    add_headers(status.metadata_mut());
    status
}

#[tokio::test]
async fn a_refusal_passes_with_its_code_message_and_details() {
    for code in [
        Code::InvalidArgument,
        Code::NotFound,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::ResourceExhausted,
        Code::Unavailable,
        Code::DeadlineExceeded,
    ] {
        let status = Stage::with(move || Err(sent(code))).await.place().await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, "the order service's words"));
        assert_eq!(status.details(), sent(code).details(), "{code:?}");
        assert_eq!(status.metadata().get("idempotent-replayed").unwrap(), "true");
        assert!(status.metadata().get("x-internal-host").is_none());
    }
}

#[tokio::test]
async fn any_other_failure_is_an_internal_error_with_the_trace() {
    for code in [
        Code::Cancelled,
        Code::Unknown,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::DataLoss,
        Code::Unauthenticated,
    ] {
        let stage = Stage::with(move || Err(sent(code))).await;
        let status = stage.place().await.unwrap_err();
        let shown = format!("internal error, trace {}", trace_id(status.metadata()));
        assert_eq!((status.code(), status.message()), (Code::Internal, shown.as_str()), "{code:?}");
        assert!(status.details().is_empty());
        for header in ["idempotent-replayed", "x-internal-host"] {
            assert!(status.metadata().get(header).is_none(), "{header}");
        }
        let trace = stage.trace(status.metadata()).await;
        let span = trace.span("SERVER", "shop.gateway.v1.ShopService/PlaceOrder");
        assert!(format!("{:?}", span.events).contains("the order service failed: "), "{:?}", span.events);
    }
}

#[tokio::test]
async fn an_order_service_that_is_not_there_is_unavailable() {
    let nobody = bind().await.local_addr().unwrap();
    assert_unreachable(&Stage::before(nobody, |_| {}).await.place().await.unwrap_err());
}

#[tokio::test]
async fn a_broken_line_is_unavailable_and_a_mended_one_is_found() {
    let upstream = FakeOrder::start(|| Ok(Response::new(Vec::new()))).await;
    let line = Line::to(upstream.address).await;
    let stage = Stage::before(line.address, |_| {}).await;
    stage.place().await.unwrap();
    line.cut();
    for _ in 0..3 {
        assert_unreachable(&stage.place().await.unwrap_err());
    }
    line.mend();
    stage.place().await.unwrap();
}

#[tokio::test]
async fn a_line_that_breaks_in_a_call_is_unavailable() {
    let silent = bind().await;
    let line = Line::to(silent.local_addr().unwrap()).await;
    let stage = Stage::before(line.address, |_| {}).await;
    let (answer, ()) = tokio::join!(stage.place(), async {
        let (mut caller, _) = silent.accept().await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.windows(5).any(|window| window == b"a-key") {
            caller.read_buf(&mut bytes).await.unwrap();
        }
        line.cut();
    });
    assert_unreachable(&answer.unwrap_err());
}

#[tokio::test]
async fn an_order_service_that_does_not_answer_in_time_is_a_deadline_exceeded() {
    let silent = bind().await;
    let address = silent.local_addr().unwrap();
    let stage = Stage::before(address, |config| config.server.default_deadline = Duration::from_millis(300)).await;
    let status = stage.place().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(!trace_id(status.metadata()).is_empty());
    drop(silent);
}

#[track_caller]
fn assert_unreachable(status: &Status) {
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the order service is not available"));
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    assert!(!trace_id(status.metadata()).is_empty());
}
