//! Whether the gateway says that it can do its work.

use tonic::Response;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::stage::{PATIENCE, Stage, bind};

#[tokio::test]
async fn the_gateway_is_ready_once_its_order_service_is() {
    let stage = Stage::with(|| Ok(Response::new(Vec::new()))).await;
    let ready = async { while stage.health().await != ServingStatus::Serving {} };
    tokio::time::timeout(PATIENCE, ready).await.unwrap();
}

#[tokio::test]
async fn without_an_order_service_it_is_not_ready() {
    let nobody = bind().await.local_addr().unwrap();
    assert_eq!(Stage::before(nobody, |_| {}).await.health().await, ServingStatus::NotServing);
}
