//! How a service stops.

use std::time::Duration;

use server::Config;
use tokio::net::TcpStream;
use tokio_stream::pending;
use tonic_health::pb::health_check_response::ServingStatus::NotServing;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::connections::closes;
use crate::frames::{GOAWAY, Peer};
use crate::health::watch;
use crate::running::{NEVER, call, get, soon, start};

#[tokio::test]
async fn an_idle_service_ends_at_once() {
    let mut server = start(patient(), Vec::new()).await;
    let mut client = server.client();
    get(&mut client).await.unwrap();
    server.stop();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_call_in_flight_finishes() {
    let mut server = start(patient(), Vec::new()).await;
    server.payments.hold();
    let call = server.call();
    server.payments.until_inside(1).await;
    let mut health = watch(server.channel()).await;

    server.stop();
    assert_eq!(soon(health.message()).await.unwrap().unwrap().status(), NotServing);
    server.payments.release();
    soon(call).await.unwrap().unwrap();
    server.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_past_the_limit_are_cut_and_have_ended_when_serve_returns() {
    let mut server = start(Config { drain: Duration::from_millis(50), ..patient() }, Vec::new()).await;
    server.payments.hold();
    let client = server.client();
    let calls: Vec<_> = (0..100).map(|_| call(client.clone())).collect();
    server.payments.until_inside(100).await;
    let payments = server.payments.clone();

    server.stop();
    server.ended().await.unwrap();
    assert_eq!(payments.inside(), 0);
    for call in calls {
        soon(call).await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn a_service_that_is_dropped_leaves_no_call_and_no_connection() {
    let server = start(patient(), Vec::new()).await;
    server.payments.hold();
    let call = server.call();
    server.payments.until_inside(1).await;
    let silent = TcpStream::connect(server.rpc).await.unwrap();
    drop(watch(server.channel()).await);

    server.abandon();
    soon(call).await.unwrap().unwrap_err();
    server.payments.until_inside(0).await;
    closes(silent).await;
}

#[tokio::test]
async fn a_silent_connection_is_not_waited_for() {
    let mut server = start(patient(), Vec::new()).await;
    let silent = TcpStream::connect(server.rpc).await.unwrap();
    // Connections are taken in as they came: the silent one is in.
    get(&mut server.client()).await.unwrap();

    server.stop();
    server.ended().await.unwrap();
    closes(silent).await;
}

#[tokio::test]
async fn a_connection_in_use_is_told_to_go_away() {
    let mut server = start(patient(), Vec::new()).await;
    let mut peer = Peer::connect(server.rpc).await;
    peer.open(1, "/shop.payment.v1.PaymentService/GetPayment").await;
    get(&mut server.client()).await.unwrap();
    server.stop();
    assert_eq!(peer.next(GOAWAY).await.error_code(), 0);
}

#[tokio::test]
async fn who_watches_health_hears_the_last_word_and_is_not_waited_for() {
    let mut server = start(patient(), Vec::new()).await;
    let mut health = watch(server.channel()).await;
    server.stop();
    assert_eq!(soon(health.message()).await.unwrap().unwrap().status(), NotServing);
    assert!(soon(health.message()).await.unwrap().is_none());
    server.ended().await.unwrap();
}

#[tokio::test]
async fn an_open_reflection_stream_is_not_waited_for() {
    let mut server = start(Config { reflection: true, ..patient() }, Vec::new()).await;
    let mut client = ServerReflectionClient::new(server.channel());
    let _answers = soon(client.server_reflection_info(pending())).await.unwrap();
    server.stop();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn the_admin_port_says_so_while_draining_and_closes_with_the_service() {
    let mut server = start(patient(), Vec::new()).await;
    server.payments.hold();
    let call = server.call();
    server.payments.until_inside(1).await;
    let mut health = watch(server.channel()).await;
    let open = TcpStream::connect(server.admin).await.unwrap();

    server.stop();
    assert_eq!(soon(health.message()).await.unwrap().unwrap().status(), NotServing);
    let readyz = soon(reqwest::get(format!("http://{}/readyz", server.admin))).await.unwrap();
    assert_eq!(readyz.status(), 503);
    assert_eq!(readyz.json::<serde_json::Value>().await.unwrap()["stopping"], true);

    server.payments.release();
    soon(call).await.unwrap().unwrap();
    server.ended().await.unwrap();
    closes(open).await;
}

/// Waits for nothing but the end: a test in which something is waited for without need does not end.
fn patient() -> Config {
    Config { drain: NEVER, preface_timeout: NEVER, default_deadline: NEVER, ..Config::default() }
}
