//! Health and `/readyz` follow the checks.

use std::time::Duration;

use serde_json::{Value, json};
use server::{Check, Config};
use tokio::sync::watch;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, ServiceUnknown, Serving};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::running::{NAME, Running, soon, start, until};

#[tokio::test]
async fn health_follows_a_check_for_the_server_and_for_its_service() {
    let database = Probe::passing();
    let server = start(quick(), vec![database.check("database")]).await;
    for service in ["", NAME] {
        let mut client = HealthClient::new(server.channel());
        let mut watch = client.watch(of(service)).await.unwrap().into_inner();
        seen(&mut watch, Serving).await;
        assert_eq!(client.check(of(service)).await.unwrap().into_inner().status(), Serving);

        database.fail("the disk is full");
        assert_eq!(next(&mut watch).await, NotServing);
        assert_eq!(client.check(of(service)).await.unwrap().into_inner().status(), NotServing);

        database.pass();
        assert_eq!(next(&mut watch).await, Serving);
    }
}

#[tokio::test]
async fn readyz_names_the_check_that_fails() {
    let database = Probe::passing();
    let server = start(quick(), vec![database.check("database"), Probe::passing().check("bank")]).await;
    until(async || readyz(&server).await.0 == 200).await;
    let ready = json!({"ready": true, "stopping": false, "checks": [{"name": "database"}, {"name": "bank"}]});
    assert_eq!(readyz(&server).await, (200, ready));

    database.fail("the disk is full");
    until(async || readyz(&server).await.0 == 503).await;
    let checks = json!([{"name": "database", "error": "the disk is full"}, {"name": "bank"}]);
    assert_eq!(readyz(&server).await, (503, json!({"ready": false, "stopping": false, "checks": checks})));
}

#[tokio::test]
async fn a_service_is_not_ready_before_its_checks_were_made() {
    let never = Check::new("never", || Box::pin(std::future::pending()));
    let server = start(quick(), vec![never]).await;
    assert_eq!(readyz(&server).await.0, 503);
    let status = HealthClient::new(server.channel()).check(of("")).await.unwrap().into_inner().status();
    assert_eq!(status, NotServing);
}

#[tokio::test]
async fn a_probe_that_does_not_answer_has_failed() {
    let never = Check::new("never", || Box::pin(std::future::pending()));
    let server = start(quick(), vec![never]).await;
    until(async || readyz(&server).await.1["checks"][0]["error"] == "no answer within 1s").await;
}

#[tokio::test]
async fn a_service_without_checks_is_ready_at_once() {
    let server = start(Config::default(), Vec::new()).await;
    assert_eq!(readyz(&server).await, (200, json!({"ready": true, "stopping": false, "checks": []})));
}

#[tokio::test]
async fn an_upstream_is_as_healthy_as_it_says() {
    let bank = Probe::passing();
    let upstream = start(quick(), vec![bank.check("bank")]).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", upstream.rpc)).unwrap();
    let telemetry = telemetry::testing::Spans::new().service(telemetry::Service::new("order", "0.0.0"));
    let channel = telemetry.rpc_client(&endpoint).layer(endpoint.connect_lazy());
    let server = start(quick(), vec![Check::upstream("payment", channel)]).await;
    until(async || readyz(&server).await.0 == 200).await;

    bank.fail("closed");
    until(async || readyz(&server).await.1["checks"] == json!([{"name": "payment", "error": "NOT_SERVING"}])).await;
}

#[tokio::test]
async fn an_unknown_service_is_not_found_and_its_watcher_waits() {
    let server = start(Config::default(), Vec::new()).await;
    let mut client = HealthClient::new(server.channel());
    assert_eq!(client.check(of("shop.Nothing")).await.unwrap_err().code(), Code::NotFound);
    let mut watch = client.watch(of("shop.Nothing")).await.unwrap().into_inner();
    assert_eq!(next(&mut watch).await, ServiceUnknown);
}

/// A check that a test turns on and off.
struct Probe(watch::Sender<Result<(), String>>);

impl Probe {
    fn passing() -> Self {
        Self(watch::Sender::new(Ok(())))
    }

    fn check(&self, name: &'static str) -> Check {
        let result = self.0.clone();
        Check::new(name, move || Box::pin(std::future::ready(result.borrow().clone())))
    }

    fn pass(&self) {
        self.0.send_modify(|result| *result = Ok(()));
    }

    fn fail(&self, error: &str) {
        self.0.send_modify(|result| *result = Err(error.to_owned()));
    }
}

fn quick() -> Config {
    Config { check_interval: Duration::from_millis(5), ..Config::default() }
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> ServingStatus {
    soon(watch.message()).await.unwrap().unwrap().status()
}

async fn seen(watch: &mut Streaming<HealthCheckResponse>, status: ServingStatus) {
    while next(watch).await != status {}
}

async fn readyz(server: &Running) -> (u16, Value) {
    let answer = soon(reqwest::get(format!("http://{}/readyz", server.admin))).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A watcher, for tests of other promises.
pub(crate) async fn watch(channel: Channel) -> Streaming<HealthCheckResponse> {
    let mut watch = HealthClient::new(channel).watch(of(NAME)).await.unwrap().into_inner();
    seen(&mut watch, Serving).await;
    watch
}
