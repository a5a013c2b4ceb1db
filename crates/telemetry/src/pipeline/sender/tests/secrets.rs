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
async fn no_part_of_a_secret_is_told_where_a_long_answer_is_cut_or_two_secrets_begin_alike() {
    for length in 4080..4100 {
        let repeated: &'static str = format!("{}hunter2key", "x".repeat(length)).leak();
        let collector = HttpCollector::answering([(400, repeated)]);
        let told = failure_of(&sender_to(collector.serve().await, "http/protobuf", &[HEADERS])).await.to_string();
        assert!(!told.contains("hunt") && told.len() < 4300, "{told}");
    }
    let collector = HttpCollector::answering([(401, "no hunter2key")]);
    let alike = ("HEADERS", "x-short=hunter,x-long=hunter2key");
    let told = failure_of(&sender_to(collector.serve().await, "http/protobuf", &[alike])).await.to_string();
    assert!(told.contains("no [secret]") && !told.contains("2key"), "{told}");
}

#[tokio::test]
async fn a_url_s_login_is_not_told_as_http_sends_it_nor_is_its_query() {
    // Of `someone:hunter2`, and of a token in the place of a name.
    let sent = "Basic c29tZW9uZTpodW50ZXIy, Basic aHVudGVyNDo=, hunter4, /?token=hunter%33 nor hunter3";
    for login in ["someone:hunter2", "hunter4"] {
        let collector = HttpCollector::answering([(401, sent)]);
        let endpoint = format!("http://{login}@{}/?token=hunter%33", collector.serve().await);
        let sender = sender_of(Signal::Traces, &[("ENDPOINT", &endpoint), ("PROTOCOL", "http/protobuf")]);
        let told = failure_of(&sender).await.to_string();
        let own = if login == "hunter4" { ["aHVud", "hunter4"] } else { ["c29t", "hunter2"] };
        assert!(own.iter().chain(&["hunter3", "%33"]).all(|secret| !told.contains(secret)), "{told}");
    }
}

#[tokio::test]
async fn a_sender_shows_no_secret() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let variables = [("ENDPOINT", "https://collector:1/?token=hunter2"), ("PROTOCOL", protocol), HEADERS];
        let shown = format!("{:?}", sender_of(Signal::Traces, &variables));
        assert!(shown.contains("collector") && !shown.contains("hunter2"), "{shown}");
    }
}
