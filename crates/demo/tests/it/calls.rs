//! The shop's caller: a plain client without telemetry, what it sends, and what it reads in an answer.

use std::net::SocketAddr;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proto::gateway::v1 as pb;
use proto::gateway::v1::shop_service_client::ShopServiceClient;
use proto::types::v1 as types;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

/// Not tonic's own channel: that one enforces the deadline itself, and so never hears what the gateway says then.
pub(crate) type Connection = Client<HttpConnector, tonic::body::Body>;

pub(crate) type Caller = ShopServiceClient<Connection>;

pub(crate) fn connection() -> Connection {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http2_only(true).build(connector)
}

pub(crate) fn caller(gateway: SocketAddr) -> Caller {
    ShopServiceClient::with_origin(connection(), format!("http://{gateway}").parse().unwrap())
}

/// An order of two teas and a mug (21.00 EUR), under a fresh key.
pub(crate) fn order(token: &str) -> pb::PlaceOrderRequest {
    pb::PlaceOrderRequest {
        idempotency_key: Uuid::new_v4().to_string(),
        items: vec![item("tea", 2), item("mug", 1)],
        customer: Some(types::Customer { email: "ada@example.com".to_owned() }),
        payment_token: token.to_owned(),
    }
}

pub(crate) fn item(sku: &str, quantity: i32) -> types::Item {
    types::Item { sku: sku.to_owned(), quantity }
}

/// A request with these headers.
pub(crate) fn with_headers<T>(message: T, headers: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in headers {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// The order that a call was answered with.
#[track_caller]
pub(crate) fn placed(answer: &Result<Response<pb::PlaceOrderResponse>, Status>) -> types::Order {
    answer.as_ref().unwrap().get_ref().order.clone().unwrap()
}

/// The trace and the span that an answer names, in both of its headers alike.
#[track_caller]
pub(crate) fn trace_headers(answered: &MetadataMap) -> (String, String) {
    let only = |name| {
        let values: Vec<_> = answered.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(values.len(), 1, "{name}: {answered:?}");
        values[0].to_owned()
    };
    let (trace_id, response) = (only("x-trace-id"), only("traceresponse"));
    let parts: Vec<_> = response.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { panic!("{response}") };
    assert_eq!((version, trace, flags.len()), ("00", trace_id.as_str(), 2), "{response}");
    (trace_id, span.to_owned())
}

/// Whether that is how gRPC spells the code: `NOT_FOUND`.
pub(crate) fn is_spelled(code: Code, name: &str) -> bool {
    format!("{code:?}").to_uppercase() == name.replace('_', "")
}

pub(crate) fn is_replayed(metadata: &MetadataMap) -> bool {
    metadata.get("idempotent-replayed").is_some_and(|value| value == "true")
}

/// The reason of a refusal.
#[track_caller]
pub(crate) fn reason(status: &Status) -> String {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "shop.throughline");
    info.reason
}
