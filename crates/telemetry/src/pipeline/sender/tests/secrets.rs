use tonic::Status;

use super::*;

const HEADERS: (&str, &str) = ("HEADERS", "authorization=Bearer%20hunter2-token,x-key=hunter2key");

/// What a collector repeats of what it was sent.
const REPEATED: &str = "no Bearer hunter2-token, hunter2-token nor hunter2key";

#[track_caller]
fn is_kept(told: &str) {
    assert!(!told.contains("hunter") && told.contains("[secret]"), "{told}");
}

#[tokio::test]
async fn what_a_collector_repeats_of_our_secrets_is_not_told() {
    for again in [Status::unauthenticated(REPEATED), Status::unavailable(REPEATED)] {
        let collector = GrpcCollector::answering([Err(again), Ok((1, REPEATED))]);
        let sender = sender_to(collector.serve().await, "grpc", &[HEADERS]);
        let failure = failure_of(&sender).await;
        is_kept(&failure.to_string());
        is_kept(&format!("{failure:?}"));
        is_kept(&sender.attempt(Bytes::new()).await.unwrap().unwrap().message);
    }
    for status in [401, 500] {
        let collector = HttpCollector::answering([(status, REPEATED)]);
        let sender = sender_to(collector.serve().await, "http/protobuf", &[HEADERS]);
        let failure = failure_of(&sender).await;
        is_kept(&failure.to_string());
        is_kept(&format!("{failure:?}"));
    }
}

#[tokio::test]
async fn a_url_s_password_is_not_told_whether_the_collector_knows_it_or_not() {
    let collector = HttpCollector::answering([(401, "someone:hunter2 is nobody")]);
    let endpoint = format!("http://someone:hunter%32@{}/?token=hunter3", collector.serve().await);
    let sender = sender_of(Signal::Traces, &[("ENDPOINT", &endpoint), ("PROTOCOL", "http/json")]);
    is_kept(&failure_of(&sender).await.to_string());

    let (listener, nobody) = bound().await;
    drop(listener);
    let endpoint = format!("http://someone:hunter2@{nobody}/?token=hunter3");
    let sender = sender_of(Signal::Traces, &[("ENDPOINT", &endpoint), ("PROTOCOL", "http/json")]);
    let told = failure_of(&sender).await.to_string();
    assert!(told.starts_with(&nobody.to_string()) && !told.contains("hunter"), "{told}");
}

#[tokio::test]
async fn a_sender_shows_no_secret() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let variables = [("ENDPOINT", "https://collector:1/?token=hunter2"), ("PROTOCOL", protocol), HEADERS];
        let shown = format!("{:?}", sender_of(Signal::Traces, &variables));
        assert!(shown.contains("collector") && !shown.contains("hunter2"), "{shown}");
    }
}
