//! What is not a gRPC call, and what it is told.

use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use proto::payment::v1::GetPaymentRequest;
use server::Config;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::ServiceExt;

use crate::running::{NEVER, Running, get, soon, start};

#[tokio::test]
async fn only_post_is_a_call() {
    let server = start(Config::default(), Vec::new()).await;
    for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        let answer = send(&server, request(method, "application/grpc")).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()["allow"], "POST");
        assert_refused(answer.headers(), Code::Internal);
    }
}

#[tokio::test]
async fn only_grpc_is_a_content_type() {
    let server = start(Config::default(), Vec::new()).await;
    for content_type in ["text/plain", "application/json", "application/grpc-web+proto", "application/grp"] {
        let answer = send(&server, request("POST", content_type)).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
        assert_refused(answer.headers(), Code::Internal);
    }
}

#[tokio::test]
async fn a_malformed_timeout_is_refused_by_name() {
    let server = start(Config::default(), Vec::new()).await;
    for timeout in ["", "1", "S", "1s", "-1S", "123456789S", "1.5S", "soon"] {
        let mut request = request("POST", "application/grpc");
        request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        let answer = send(&server, request).await;

        assert_eq!(answer.status(), StatusCode::OK);
        assert_refused(answer.headers(), Code::InvalidArgument);
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "grpc-timeout");
    }
}

#[tokio::test]
async fn two_timeouts_are_refused() {
    let server = start(Config::default(), Vec::new()).await;
    let mut request = request("POST", "application/grpc");
    request.headers_mut().append("grpc-timeout", "1S".parse().unwrap());
    request.headers_mut().append("grpc-timeout", "2S".parse().unwrap());
    assert_refused(send(&server, request).await.headers(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_call_with_a_proper_timeout_is_served() {
    let server = start(Config::default(), Vec::new()).await;
    let mut request = tonic::Request::new(GetPaymentRequest::default());
    request.metadata_mut().insert("grpc-timeout", "20S".parse().unwrap());
    soon(server.client().get_payment(request)).await.unwrap();
}

#[tokio::test]
async fn a_call_without_a_timeout_gets_the_default_deadline() {
    let server = start(Config { default_deadline: NEVER, ..Config::default() }, Vec::new()).await;
    get(&mut server.client()).await.unwrap();
    assert!(server.payments.left.borrow().unwrap() > NEVER / 2);

    let server = start(Config { default_deadline: Duration::from_millis(50), ..Config::default() }, Vec::new()).await;
    server.payments.hold();
    assert_eq!(get(&mut server.client()).await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let server = start(Config::default(), Vec::new()).await;
    let mut request = request("POST", "application/grpc");
    *request.uri_mut() = "/shop.payment.v1.PaymentService/Steal".parse().unwrap();
    assert_refused(send(&server, request).await.headers(), Code::Unimplemented);
}

fn request(method: &str, content_type: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri("/shop.payment.v1.PaymentService/GetPayment");
    request.header("content-type", content_type).body(Body::empty()).unwrap()
}

async fn send(server: &Running, request: Request<Body>) -> Response<Body> {
    soon(server.channel().oneshot(request)).await.unwrap()
}

/// A refusal is an answer like any other: it has its code and its trace, and no handler was asked.
#[track_caller]
fn assert_refused(headers: &HeaderMap, code: Code) {
    assert_eq!(Status::from_header_map(headers).unwrap().code(), code);
    assert!(headers.contains_key("x-trace-id") && headers.contains_key("traceresponse"));
}
