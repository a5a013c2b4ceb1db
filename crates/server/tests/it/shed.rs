//! What happens to a call for which there is no place.

use std::time::Duration;

use server::Config;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::running::{get, soon, start, until};

#[tokio::test]
async fn a_call_over_the_limit_is_told_when_to_try_again_and_then_served() {
    let server = start(Config { max_concurrent_calls: 2, ..Config::default() }, Vec::new()).await;
    server.payments.hold();
    let served = [server.call(), server.call()];
    server.payments.until_inside(2).await;

    let shed = get(&mut server.client()).await.unwrap_err();
    assert_eq!(shed.code(), Code::ResourceExhausted);
    assert_eq!(shed.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_millis(500)));
    assert_eq!(shed.metadata().get("grpc-retry-pushback-ms").unwrap(), "500");
    assert!(shed.metadata().contains_key("x-trace-id"));
    assert_eq!(server.payments.inside(), 2);

    server.payments.release();
    for call in served {
        soon(call).await.unwrap().unwrap();
    }
    until(async || get(&mut server.client()).await.is_ok()).await;
}

#[tokio::test]
async fn a_call_whose_caller_left_gives_its_place_back() {
    let server = start(Config { max_concurrent_calls: 1, ..Config::default() }, Vec::new()).await;
    server.payments.hold();
    let call = server.call();
    server.payments.until_inside(1).await;
    call.abort();
    server.payments.until_inside(0).await;

    server.payments.release();
    until(async || get(&mut server.client()).await.is_ok()).await;
}

#[tokio::test]
async fn a_full_server_still_answers_for_its_health() {
    let server = start(Config { max_concurrent_calls: 1, ..Config::default() }, Vec::new()).await;
    server.payments.hold();
    let _call = server.call();
    server.payments.until_inside(1).await;
    soon(HealthClient::new(server.channel()).check(HealthCheckRequest::default())).await.unwrap();
}
