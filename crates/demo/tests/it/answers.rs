//! Every answer of the gateway names its trace, whatever the answer is.

use std::time::Duration;

use http::{HeaderMap, Response as HttpResponse, StatusCode};
use proto::gateway::v1::{GetOrderRequest, ListOrdersRequest};
use proto::types::v1::OrderState;
use sqlx::{Connection, SqliteConnection};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::calls::{connection, is_spelled, order, placed, reason, trace_headers, with_headers};
use crate::shop::{Member, PATIENCE, Shop};

const PLACE: &str = "/shop.gateway.v1.ShopService/PlaceOrder";

/// Asserts that the headers of an answer name the gateway's span of that call, and that this has the answer's code.
async fn assert_named(shop: &Shop, answered: &MetadataMap, code: Code) {
    let (_, span_id) = trace_headers(answered);
    let trace = shop.trace(answered).await;
    let span = trace.spans().iter().find(|span| span.span_id == span_id).unwrap();
    assert!(is_spelled(code, span.attribute("rpc.status_code").unwrap()), "{code:?}: {span:?}");
}

async fn assert_refused(shop: &Shop, status: &Status, code: Code) {
    assert_eq!(status.code(), code, "{status:?}");
    assert_named(shop, status.metadata(), code).await;
}

#[track_caller]
fn assert_retry_info(status: &Status) {
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > Duration::ZERO);
}

#[tokio::test]
async fn a_success_names_its_trace() {
    let shop = Shop::open().await;
    let mut client = shop.client.clone();
    let placed = shop.place(order("tok_visa")).await.unwrap();
    assert_named(&shop, placed.metadata(), Code::Ok).await;

    let order = placed.into_inner().order.unwrap();
    let found = client.get_order(GetOrderRequest { order_id: order.id.clone() }).await.unwrap();
    assert_named(&shop, found.metadata(), Code::Ok).await;
    let listed = client.list_orders(ListOrdersRequest::default()).await.unwrap();
    assert_named(&shop, listed.metadata(), Code::Ok).await;
    assert_eq!(found.into_inner().order.unwrap(), order);
    assert_eq!(listed.into_inner().orders, [order]);
    shop.close().await;
}

#[tokio::test]
async fn a_malformed_request_names_its_trace() {
    let shop = Shop::open().await;
    let status = shop.place(order("")).await.unwrap_err();
    assert_refused(&shop, &status, Code::InvalidArgument).await;
    shop.close().await;
}

#[tokio::test]
async fn an_unknown_order_names_its_trace() {
    let shop = Shop::open().await;
    let request = GetOrderRequest { order_id: Uuid::now_v7().to_string() };
    let status = shop.client.clone().get_order(request).await.unwrap_err();
    assert_refused(&shop, &status, Code::NotFound).await;
    shop.close().await;
}

#[tokio::test]
async fn each_refusal_of_the_bank_names_its_trace() {
    let shop = Shop::open().await;
    let refusals = [
        ("tok_declined", "CARD_DECLINED"),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS"),
        ("tok_expired", "CARD_EXPIRED"),
        ("tok_nobody_knows", "CARD_DECLINED"),
    ];
    for (token, expected) in refusals {
        let status = shop.place(order(token)).await.unwrap_err();
        assert_eq!(reason(&status), expected);
        assert_refused(&shop, &status, Code::FailedPrecondition).await;
    }
    shop.close().await;
}

#[tokio::test]
async fn a_busy_bank_is_unavailable_and_names_its_trace() {
    let shop = Shop::open().await;
    let status = shop.place(order("tok_down")).await.unwrap_err();
    assert_refused(&shop, &status, Code::Unavailable).await;
    assert_retry_info(&status);
    shop.close().await;
}

#[tokio::test]
async fn whoever_is_killed_the_answer_is_unavailable_and_names_its_trace() {
    for member in [Member::Order, Member::Payment, Member::Bank] {
        let mut shop = Shop::open().await;
        shop.place(order("tok_visa")).await.unwrap();
        shop.kill(member).await;
        let unavailable = async {
            loop {
                match shop.place(order("tok_visa")).await {
                    Err(status) => break status,
                    // The question went out just before the connection was known to be dead: nobody knows its answer.
                    answer => assert_eq!(placed(&answer).state(), OrderState::PaymentPending),
                }
            }
        };
        let status = tokio::time::timeout(PATIENCE, unavailable).await.unwrap();
        assert_refused(&shop, &status, Code::Unavailable).await;
        assert_retry_info(&status);
        shop.close().await;
    }
}

#[tokio::test]
async fn a_deadline_that_passes_names_its_trace() {
    let shop = Shop::recorded().await;
    shop.before_bank.hold();
    let mut request = Request::new(order("tok_visa"));
    request.set_timeout(Duration::from_millis(200));
    let status = shop.place(request).await.unwrap_err();
    shop.before_bank.release();
    assert_refused(&shop, &status, Code::DeadlineExceeded).await;
    shop.close().await;
}

#[tokio::test]
async fn a_call_too_many_names_its_trace() {
    let shop = Shop::open_with(|settings| {
        settings.recorded = true;
        settings.gateway.server.max_concurrent_calls = 1;
    })
    .await;
    shop.before_bank.hold();
    let (first, second) = tokio::join!(shop.place(order("tok_visa")), async {
        shop.before_bank.reached("/v1/authorisations").await;
        let second = shop.place(order("tok_visa")).await;
        shop.before_bank.release();
        second.unwrap_err()
    });
    first.unwrap();
    assert_refused(&shop, &second, Code::ResourceExhausted).await;
    assert_retry_info(&second);
    shop.close().await;
}

#[tokio::test]
async fn a_failure_inside_names_its_trace_and_nothing_else() {
    let shop = Shop::open().await;
    let order = placed(&shop.place(order("tok_visa")).await);
    let url = format!("sqlite://{}", shop.dir.path().join("order.db").display());
    let mut store = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("ALTER TABLE orders RENAME TO lost").execute(&mut store).await.unwrap();

    let request = GetOrderRequest { order_id: order.id };
    let status = shop.client.clone().get_order(request).await.unwrap_err();
    assert_refused(&shop, &status, Code::Internal).await;
    let (trace_id, _) = trace_headers(status.metadata());
    assert_eq!(status.message(), format!("internal error, trace {trace_id}"));
    assert!(status.details().is_empty());
    shop.close().await;
}

/// A request of one's own making, without a body.
async fn send(shop: &Shop, method: &str, path: &str, headers: &[(&str, &str)]) -> HttpResponse<()> {
    let request =
        http::Request::builder().method(method).uri(format!("http://{}{path}", shop.address(Member::Gateway)));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = connection().request(request.body(tonic::body::Body::empty()).unwrap()).await.unwrap();
    answer.map(drop)
}

#[track_caller]
fn status(headers: &HeaderMap) -> Status {
    Status::from_header_map(headers).unwrap()
}

#[tokio::test]
async fn an_unknown_method_names_its_trace() {
    let shop = Shop::open().await;
    for path in ["/shop.gateway.v1.ShopService/Nope", "/shop.nobody.v1.Nothing/Nope", "/"] {
        let answer = send(&shop, "POST", path, &[("content-type", "application/grpc")]).await;
        assert_refused(&shop, &status(answer.headers()), Code::Unimplemented).await;
    }
    shop.close().await;
}

#[tokio::test]
async fn what_is_no_grpc_call_is_refused_and_names_its_trace() {
    let shop = Shop::open().await;
    let grpc = ("content-type", "application/grpc");
    let (text, bad) = (("content-type", "text/plain"), Code::InvalidArgument);
    let refusals = [
        ("GET", vec![grpc], StatusCode::METHOD_NOT_ALLOWED, Code::Internal),
        ("POST", vec![text], StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Internal),
        ("POST", vec![], StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Internal),
        ("POST", vec![grpc, ("grpc-timeout", "soon")], StatusCode::OK, bad),
        ("POST", vec![grpc, ("grpc-timeout", "123456789S")], StatusCode::OK, bad),
    ];
    for (method, headers, http_status, code) in refusals {
        let answer = send(&shop, method, PLACE, &headers).await;
        assert_eq!(answer.status(), http_status, "{method} {headers:?}");
        assert_refused(&shop, &status(answer.headers()), code).await;
    }
    shop.close().await;
}

#[tokio::test]
async fn an_error_names_the_callers_own_trace() {
    let shop = Shop::open().await;
    let header = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let status = shop.place(with_headers(order("tok_declined"), &header)).await.unwrap_err();
    assert_eq!(trace_headers(status.metadata()).0, "4bf92f3577b34da6a3ce929d0e0e4736");
    shop.close().await;
}
