//! What a call leaves in its trace.

use tonic::{Code, Response, Status};

use crate::stage::Stage;

#[tokio::test]
async fn a_call_is_one_server_span_and_the_call_it_makes() {
    let stage = Stage::with(|| Ok(Response::new(Vec::new()))).await;
    let answer = stage.place().await.unwrap();
    assert!(answer.metadata().get("traceresponse").is_some());
    let tree = "gateway SERVER shop.gateway.v1.ShopService/PlaceOrder\n  \
                gateway CLIENT shop.order.v1.OrderService/PlaceOrder\n";
    stage.trace(answer.metadata()).await.assert_tree(tree);
}

#[tokio::test]
async fn an_error_has_its_trace_headers_too() {
    for code in [Code::NotFound, Code::Internal] {
        let stage = Stage::with(move || Err(Status::new(code, ""))).await;
        let status = stage.place().await.unwrap_err();
        assert!(status.metadata().get("traceresponse").is_some());
        stage.trace(status.metadata()).await.span("CLIENT", "shop.order.v1.OrderService/PlaceOrder");
    }
}
