use std::convert::Infallible;
use std::io::Read;
use std::time::SystemTime;

use axum::response::Response;
use flate2::read::GzDecoder;
use time::OffsetDateTime;
use time::macros::format_description;

use super::*;

async fn refused_with(status: u16, content_type: &str, body: impl Into<axum::body::Body>) -> Failure {
    let answer = Response::builder().status(status).header("content-type", content_type).body(body.into()).unwrap();
    let collector = HttpCollector::with([answer]);
    failure_of(&sender_to(collector.serve().await, "http/protobuf", &[])).await
}

#[tokio::test]
async fn requests_of_all_signals_arrive_where_they_belong_with_their_headers() {
    for (signal, path) in [(Signal::Traces, "/v1/traces"), (Signal::Logs, "/v1/logs"), (Signal::Metrics, "/v1/metrics")]
    {
        let collector = HttpCollector::answering([]);
        let endpoint = format!("http://someone:hunter2@{}/in", collector.serve().await);
        let variables =
            [("ENDPOINT", &*endpoint), ("PROTOCOL", "http/protobuf"), ("HEADERS", "X-Scope=a%2Cb,user-agent=me")];
        let sent = Bytes::from_static(&[10, 0, 10, 0]);
        assert_eq!(sender_of(signal, &variables).attempt(sent.clone()).await.unwrap(), None);
        let [received] = &collector.received()[..] else { panic!("{signal:?}") };
        assert_eq!((&received.line, &received.body), (&format!("POST /in{path} HTTP/1.1"), &sent));
        assert_eq!(received.headers["content-type"], "application/x-protobuf");
        assert_eq!(received.headers["x-scope"], "a,b");
        assert_eq!(received.headers["user-agent"], "me");
        assert_eq!(received.headers["authorization"], "Basic c29tZW9uZTpodW50ZXIy");
        assert!(!received.headers.contains_key("content-encoding"));
    }
    let collector = HttpCollector::answering([]);
    sender_to(collector.serve().await, "http/json", &[]).attempt(request("json")).await.unwrap();
    let [received] = &collector.received()[..] else { panic!() };
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(received.headers["user-agent"], USER_AGENT);
}

#[tokio::test]
async fn requests_are_compressed_if_they_are_to_be() {
    for protocol in ["http/protobuf", "http/json"] {
        let collector = HttpCollector::answering([]);
        let address = collector.serve().await;
        for compression in ["none", "gzip"] {
            sender_to(address, protocol, &[("COMPRESSION", compression)]).attempt(request("same")).await.unwrap();
        }
        let [plain, compressed] = &collector.received()[..] else { panic!() };
        assert_eq!(compressed.headers["content-encoding"], "gzip");
        let mut inflated = Vec::new();
        GzDecoder::new(&*compressed.body).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, plain.body, "{protocol}");
    }
}

#[tokio::test]
async fn each_status_says_what_becomes_of_a_request() {
    use Verdict::{BadRequest, Refused, Transient};
    for (status, verdict, hint) in [
        (301, Refused, "redirects are not followed"),
        (400, BadRequest, ""),
        (401, Refused, "OTEL_EXPORTER_OTLP_HEADERS"),
        (403, Refused, "OTEL_EXPORTER_OTLP_HEADERS"),
        (404, Refused, "OTEL_EXPORTER_OTLP_ENDPOINT gets /v1/traces"),
        (405, Refused, "OTEL_EXPORTER_OTLP_ENDPOINT gets /v1/traces"),
        (408, Refused, ""),
        (413, BadRequest, "fewer items per request"),
        (415, Refused, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (422, BadRequest, ""),
        (429, Transient, ""),
        (500, Refused, ""),
        (501, Refused, ""),
        (502, Transient, ""),
        (503, Transient, ""),
        (504, Transient, ""),
    ] {
        let failure = refused_with(status, "text/plain; charset=utf-8", "because\n").await;
        let name = status.to_string();
        assert_eq!((failure.verdict, failure.error_type(), failure.retry_after), (verdict, &*name, None));
        tells(&failure, &[&format!(": {status} "), ": because", hint]);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = HttpCollector::answering([]);
    let location = format!("http://{}/v1/traces", elsewhere.serve().await);
    let answer = Response::builder().status(307).header("location", location).body("".into()).unwrap();
    let collector = HttpCollector::with([answer]);
    let failure = failure_of(&sender_to(collector.serve().await, "http/protobuf", &[])).await;
    assert_eq!((failure.verdict, failure.error_type()), (Verdict::Refused, "307"));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_collector_says_in_both_ways_until_when_it_wants_to_be_left_alone() {
    let date =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let in_an_hour = OffsetDateTime::from(SystemTime::now() + PAUSE * 3600).format(&date).unwrap();
    for (wanted, least) in [("7", PAUSE * 7), (&in_an_hour, PAUSE * 1800), ("soon", Duration::ZERO)] {
        for status in [429, 503] {
            let answer = Response::builder().status(status).header("retry-after", wanted).body("".into()).unwrap();
            let collector = HttpCollector::with([answer]);
            let failure = failure_of(&sender_to(collector.serve().await, "http/protobuf", &[])).await;
            assert_eq!(failure.verdict, Verdict::Transient);
            assert!(failure.retry_after.unwrap_or_default() >= least, "{wanted}: {failure:?}");
            assert_eq!(failure.retry_after.is_some(), wanted != "soon");
        }
    }
}

#[tokio::test]
async fn why_nothing_is_taken_is_told_from_each_form_of_answer() {
    let status = prost_types::Any { type_url: String::new(), value: b"because".to_vec() };
    for (content_type, body) in [
        ("application/x-protobuf", status.encode_to_vec()),
        ("application/json", br#"{"code":3,"message":"because"}"#.to_vec()),
        ("text/plain", b"because".to_vec()),
    ] {
        tells(&refused_with(500, content_type, body).await, &["500 Internal Server Error: because"]);
    }
    for (content_type, body) in
        [("text/html", "<html>"), ("application/json", "[]"), ("application/x-protobuf", "<html>")]
    {
        let told = refused_with(500, content_type, body).await.to_string();
        assert!(told.ends_with(": 500 Internal Server Error"), "{told}");
    }
}

async fn taken(content_type: &str, body: &str) -> Result<Option<Rejected>, Failure> {
    let collector = HttpCollector::saying(content_type, body.to_owned());
    sender_to(collector.serve().await, "http/protobuf", &[]).attempt(request("taken")).await
}

#[tokio::test]
async fn what_a_collector_takes_in_part_is_told_in_each_form_of_answer() {
    let two = Some(Rejected { items: 2, message: "old".to_owned() });
    let warned = Some(Rejected { items: 0, message: "old".to_owned() });
    for (content_type, body, expected) in [
        ("application/x-protobuf", "\x0a\x07\x08\x02\x12\x03old", &two),
        ("application/x-protobuf", "\x0a\x05\x12\x03old", &warned),
        ("application/x-protobuf", "\x0a\x00", &None),
        ("", "\x0a\x07\x08\x02\x12\x03old", &two),
        ("application/json", r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"old"}}"#, &two),
        (
            "Application/JSON; charset=utf-8",
            r#"{"partialSuccess":{"rejectedLogRecords":2,"errorMessage":"old"}}"#,
            &two,
        ),
        ("application/json", r#"{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"old","x":1}}"#, &two),
        ("application/json", r#"{"partialSuccess":{"errorMessage":"old"}}"#, &warned),
        ("application/json", r#"{"partialSuccess":{}}"#, &None),
        ("application/json", r#"{"partialSuccess":null}"#, &None),
        ("application/json", "{}", &None),
        ("text/html", "", &None),
    ] {
        assert_eq!(&taken(content_type, body).await.unwrap(), expected, "{body}");
    }
}

#[tokio::test]
async fn an_ok_of_something_that_is_no_collector_means_nothing() {
    for (content_type, body) in [
        ("text/html", "<html>It works!</html>"),
        ("application/x-protobuf", "<html>It works!</html>"),
        ("application/json", "<html>It works!</html>"),
        ("application/json", r#"{"partialSuccess":{"rejectedSpans":"many"}}"#),
    ] {
        let failure = taken(content_type, body).await.unwrap_err();
        assert_eq!((failure.verdict, failure.error_type()), (Verdict::Refused, "unreadable_answer"), "{content_type}");
        tells(&failure, &["none of a collector", "is this an OTLP/HTTP port?"]);
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_in_part() {
    for (status, verdict, error_type, told) in
        [(200, Verdict::Refused, "unreadable_answer", "it is too long"), (503, Verdict::Transient, "503", "503")]
    {
        // Empty fields: any beginning of it could be read.
        let chunk = Bytes::from([0x0a, 0x00].repeat(32 * 1024));
        let endless = futures_util::stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()));
        let answer = Response::builder().status(status).header("content-type", "application/x-protobuf");
        let collector = HttpCollector::with([answer.body(axum::body::Body::from_stream(endless)).unwrap()]);
        let failure = failure_of(&sender_to(collector.serve().await, "http/protobuf", &[])).await;
        assert_eq!((failure.verdict, failure.error_type()), (verdict, error_type), "{failure}");
        tells(&failure, &[told]);
    }
}
