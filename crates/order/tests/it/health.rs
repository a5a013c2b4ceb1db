//! Whether the service says that it can do its work.

use tonic_health::pb::health_check_response::ServingStatus;

use crate::stage::{PATIENCE, Stage};

#[tokio::test]
async fn the_service_is_ready_once_its_payment_service_is() {
    let stage = Stage::set().await;
    let ready = async { while stage.health().await != ServingStatus::Serving {} };
    tokio::time::timeout(PATIENCE, ready).await.unwrap();
}

#[tokio::test]
async fn without_a_payment_service_it_is_not_ready() {
    let (stage, payment) = Stage::with_fake().await;
    payment.line.cut();
    assert_eq!(stage.health().await, ServingStatus::NotServing);
}
