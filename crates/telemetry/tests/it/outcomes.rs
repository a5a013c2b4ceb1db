//! Every call ends once, at its true end, with its true code, for spans and metrics alike: each RPC kind, each way to
//! end, both sides.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use telemetry::testing::Spans;
use telemetry::{Service, TrustTrace};
use tokio::sync::Notify;
use tonic::{Code, Request};

use crate::kinds::{Answer, KINDS, client, descriptors, serve, told};

/// Calls each of `kinds` with `message`; both spans must have ended with `code`, as an error where said, and both
/// durations must say the same.
async fn check(
    kinds: &[&'static str],
    message: &str,
    code: &str,
    client_error: Option<&str>,
    server_error: Option<&str>,
) {
    for kind in kinds {
        let spans = Spans::new();
        let telemetry = spans.service(Service::new("test", "0"));
        let layer = telemetry
            .rpc_server()
            .methods(&descriptors(&KINDS))
            .trust(TrustTrace::All)
            .default_deadline(Duration::from_millis(100))
            .answer_trace_headers();
        let address = serve(layer, told(&Arc::new(Notify::new()))).await;

        let answer = client(&telemetry, address).call(kind, message).await;
        let seen = match &answer {
            Ok(Answer { end: Ok(()), .. }) => Code::Ok,
            Ok(Answer { end: Err(status), .. }) | Err(status) => status.code(),
        };

        let line = |side: &str, error: Option<&str>| match error {
            Some(error) => {
                format!("test {side} test.v1.Kinds/{kind} ERROR [error.type={error}, rpc.status_code={code}]")
            }
            None => format!("test {side} test.v1.Kinds/{kind} [rpc.status_code={code}]"),
        };
        let expected = format!("{}\n  {}\n", line("CLIENT", client_error), line("SERVER", server_error));
        let traces = spans.traces().await;
        assert_eq!(traces.len(), 1, "{kind} {message}");
        assert_eq!(traces[0].render(&["rpc.status_code", "error.type"]), expected, "{kind} {message}");
        assert_eq!(format!("{seen:?}").to_uppercase(), code.replace('_', ""), "{kind} {message}");
        check_trace_headers(&answer, &traces[0].spans()[0].trace_id);
        let expected = measured(kind, address, 0, Some((code, client_error, server_error)));
        assert_eq!(spans.metrics().await.render("rpc."), expected, "{kind} {message}");
    }
}

/// The metrics of one method, with so many calls in flight on either side and perhaps one that has ended: with this code,
/// and the `error.type` of the client and of the server.
fn measured(
    kind: &str,
    address: SocketAddr,
    in_flight: usize,
    ended: Option<(&str, Option<&str>, Option<&str>)>,
) -> String {
    let side = |side: &str, error: Option<&str>, address: &str| {
        let method = format!("rpc.method=test.v1.Kinds/{kind}");
        let call = format!("[{method}, rpc.system.name=grpc{address}] {in_flight}\n");
        let error = error.map(|error| format!("error.type={error}, ")).unwrap_or_default();
        let duration = ended.map(|(code, ..)| {
            let attributes = format!("{error}{method}, rpc.status_code={code}, rpc.system.name=grpc{address}");
            format!("test rpc.{side}.call.duration [{attributes}] count 1\n")
        });
        format!("test rpc.{side}.active_calls {call}{}", duration.unwrap_or_default())
    };
    let (client_error, server_error) = ended.map_or((None, None), |(_, client, server)| (client, server));
    let server = format!(", server.address={}, server.port={}", address.ip(), address.port());
    side("client", client_error, &server) + &side("server", server_error, "")
}

/// Every answer names its trace: in its headers, or with its error.
#[track_caller]
fn check_trace_headers(answer: &Result<Answer, tonic::Status>, trace_id: &str) {
    let metadata = answer.as_ref().map_or_else(tonic::Status::metadata, |answer| &answer.metadata);
    assert_eq!(metadata.get("x-trace-id").unwrap(), trace_id);
    assert!(metadata.get("traceresponse").unwrap().to_str().unwrap().starts_with(&format!("00-{trace_id}-")));
    if let Ok(Answer { end: Err(status), .. }) = answer {
        assert_eq!(status.metadata().get("x-trace-id").unwrap(), trace_id, "the trailers of an error");
    }
}

const STREAMED: [&str; 2] = ["ServerStream", "Bidi"];

#[tokio::test]
async fn a_call_that_succeeds_is_no_error() {
    check(&KINDS, "ok", "OK", None, None).await;
}

#[tokio::test]
async fn an_error_before_the_first_message_is_the_callers() {
    check(&KINDS, "error before", "NOT_FOUND", Some("NOT_FOUND"), None).await;
}

#[tokio::test]
async fn an_error_in_the_trailers_ends_both_spans() {
    check(&STREAMED, "error after", "DATA_LOSS", Some("DATA_LOSS"), Some("DATA_LOSS")).await;
}

#[tokio::test]
async fn a_panic_is_answered_and_named() {
    check(&KINDS, "panic", "INTERNAL", Some("INTERNAL"), Some("panic")).await;
    check(&STREAMED, "panic after", "INTERNAL", Some("INTERNAL"), Some("panic")).await;
}

#[tokio::test]
async fn a_deadline_ends_a_call_before_and_within_its_answer() {
    let late = Some("DEADLINE_EXCEEDED");
    check(&KINDS, "hang", "DEADLINE_EXCEEDED", late, late).await;
    check(&STREAMED, "hang after", "DEADLINE_EXCEEDED", late, late).await;
}

/// Drops a call while its handler hangs: before the head is there, or after the first message.
async fn check_drop(kind: &'static str, message: &str, after_the_head: bool) {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let entered = Arc::new(Notify::new());
    let layer = telemetry.rpc_server().trust(TrustTrace::All).methods(&descriptors(&KINDS));
    let address = serve(layer, told(&entered)).await;

    let mut client = client(&telemetry, address);
    let request = Request::new(message.to_owned());
    let in_flight = measured(kind, address, 1, None);
    if after_the_head {
        let mut stream = client.open(kind, request).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap(), "one");
        assert_eq!(spans.metrics_now().render("rpc."), in_flight);
    } else {
        let under_way = async {
            entered.notified().await;
            assert_eq!(spans.metrics_now().render("rpc."), in_flight);
        };
        tokio::select! {
            answer = client.open(kind, request) => panic!("{answer:?}"),
            () = under_way => {}
        }
    }

    let expected = format!(
        "test CLIENT test.v1.Kinds/{kind} ERROR [error.type=CANCELLED, rpc.status_code=CANCELLED]
           test SERVER test.v1.Kinds/{kind} [rpc.status_code=CANCELLED]"
    );
    let expected = expected.replace("\n           ", "\n  ");
    spans.traces().await[0].assert_tree(&expected);
    let ended = Some(("CANCELLED", Some("CANCELLED"), None));
    assert_eq!(spans.metrics().await.render("rpc."), measured(kind, address, 0, ended));
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels() {
    for kind in KINDS {
        check_drop(kind, "hang", false).await;
    }
    for kind in STREAMED {
        check_drop(kind, "hang after", true).await;
    }
}

#[tokio::test]
async fn a_panic_is_told_once_as_an_event_and_answered_with_the_trace_id() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let address = serve(telemetry.rpc_server().trust(TrustTrace::All), told(&Arc::new(Notify::new()))).await;
    let status = client(&telemetry, address).call("Unary", "panic").await.unwrap_err();

    let traces = spans.traces().await;
    let server = traces[0].span("SERVER", "test.v1.Kinds/Unary");
    assert_eq!(status.message(), format!("internal error, trace {}", server.trace_id));
    let message = ("exception.message".to_owned(), "the handler's own".to_owned());
    let kind = ("exception.type".to_owned(), "panic".to_owned());
    assert_eq!(server.events, [("exception".to_owned(), vec![message, kind])]);
}

#[tokio::test]
async fn a_client_keeps_its_deadline_though_the_server_does_not() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let other = Spans::new().service(Service::new("deaf", "0"));
    for (kind, message) in [("Unary", "hang"), ("ServerStream", "hang after")] {
        // The server would wait longer, and is not told: the stripped header stands for a server that ignores it.
        let address = serve(other.rpc_server(), told(&Arc::new(Notify::new()))).await;
        let mut request = Request::new(message.to_owned());
        request.set_timeout(Duration::from_millis(50));
        let answer = client(&telemetry, address).send(kind, request).await;
        let status = answer.and_then(|answer| answer.end).unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
    for trace in spans.traces().await {
        assert_eq!(trace.spans()[0].attribute("rpc.status_code"), Some("DEADLINE_EXCEEDED"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("test", "0"));
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let status = client(&telemetry, address).call("Unary", "ok").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    spans.traces().await[0]
        .assert_tree("test CLIENT test.v1.Kinds/Unary ERROR [error.type=UNAVAILABLE, rpc.status_code=UNAVAILABLE]");
    let failed = [("error.type", "UNAVAILABLE"), ("rpc.status_code", "UNAVAILABLE")];
    assert_eq!(spans.metrics().await.count("rpc.client.call.duration", &failed), 1);
}
