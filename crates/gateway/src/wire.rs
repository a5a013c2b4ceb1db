//! The public contract's messages into the order service's, and back.
//!
//! The two contracts may part: every field is named here, so that one added to either does not go unnoticed.

use proto::gateway::v1 as pb;
use proto::order::v1 as order;
use tonic::Response;
use tonic::metadata::MetadataMap;

/// The one header of the order service that is also the gateway's: the answer is that of an earlier call.
const REPLAYED: &str = "idempotent-replayed";

// === Requests ===

pub(crate) fn place_order(request: pb::PlaceOrderRequest) -> order::PlaceOrderRequest {
    let pb::PlaceOrderRequest { idempotency_key, items, customer, payment_token } = request;
    order::PlaceOrderRequest { idempotency_key, items, customer, payment_token }
}

pub(crate) fn cancel_order(request: pb::CancelOrderRequest) -> order::CancelOrderRequest {
    let pb::CancelOrderRequest { order_id } = request;
    order::CancelOrderRequest { order_id }
}

pub(crate) fn get_order(request: pb::GetOrderRequest) -> order::GetOrderRequest {
    let pb::GetOrderRequest { order_id } = request;
    order::GetOrderRequest { order_id }
}

pub(crate) fn list_orders(request: pb::ListOrdersRequest) -> order::ListOrdersRequest {
    let pb::ListOrdersRequest { page_size, page_token } = request;
    order::ListOrdersRequest { page_size, page_token }
}

// === Answers ===

pub(crate) fn placed(answer: Response<order::PlaceOrderResponse>) -> Response<pb::PlaceOrderResponse> {
    answered(answer, |order::PlaceOrderResponse { order }| pb::PlaceOrderResponse { order })
}

pub(crate) fn found(answer: Response<order::GetOrderResponse>) -> Response<pb::GetOrderResponse> {
    answered(answer, |order::GetOrderResponse { order, history }| pb::GetOrderResponse { order, history })
}

pub(crate) fn cancelled(answer: Response<order::CancelOrderResponse>) -> Response<pb::CancelOrderResponse> {
    answered(answer, |order::CancelOrderResponse { order }| pb::CancelOrderResponse { order })
}

pub(crate) fn listed(answer: Response<order::ListOrdersResponse>) -> Response<pb::ListOrdersResponse> {
    answered(answer, |order::ListOrdersResponse { orders, next_page_token }| pb::ListOrdersResponse {
        orders,
        next_page_token,
    })
}

fn answered<T, U>(answer: Response<T>, message: impl FnOnce(T) -> U) -> Response<U> {
    let metadata = passed_on(answer.metadata());
    let mut answer = Response::new(message(answer.into_inner()));
    *answer.metadata_mut() = metadata;
    answer
}

/// What callers may see of the order service's headers.
pub(crate) fn passed_on(metadata: &MetadataMap) -> MetadataMap {
    let mut passed = MetadataMap::new();
    if let Some(replayed) = metadata.get(REPLAYED) {
        passed.insert(REPLAYED, replayed.clone());
    }
    passed
}
