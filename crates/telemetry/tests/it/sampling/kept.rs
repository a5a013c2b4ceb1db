use std::net::SocketAddr;

use telemetry::Recorded;

use super::*;
use crate::context::plain;
use crate::kinds::Handler;

/// A service that samples nothing unless it is kept, and behaves by the message it gets, after calls of its own.
async fn keeping(spans: &Spans, sampling: Sampling) -> (Telemetry, Client<Channel>) {
    let telemetry = service(spans, sampling, &[OFF]);
    let address = serve(
        telemetry.rpc_server().trust(TrustTrace::All),
        handler(|request: Request<String>| async move {
            work().await;
            match request.into_inner().as_str() {
                "fail" => Err(failure()),
                "recover" => {
                    attempt().await;
                    Ok(messages([Ok(String::new())]))
                }
                "dawdle" => {
                    // The timer promises at least as much.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok(messages([Ok(String::new())]))
                }
                "refuse" => Err(Status::not_found("nothing here")),
                _ => Ok(messages([Ok(String::new())])),
            }
        }),
    )
    .await;
    (telemetry, plain(address))
}

#[tracing::instrument(skip_all)]
async fn attempt() {
    tracing::error!("failed once");
}

fn recorded(telemetry: &Telemetry) -> Recorded {
    telemetry.sampling().recorded.unwrap()
}

#[tokio::test]
async fn a_call_that_fails_is_exported_with_all_below_it_and_no_other() {
    let spans = Spans::new();
    let (telemetry, mut client) = keeping(&spans, Sampling::new().keep_errors()).await;
    for message in ["", "recover", "refuse"] {
        let _ = client.call("Unary", message).await;
    }
    client.call("Unary", "fail").await.unwrap_err();
    let traces = spans.traces().await;
    assert_eq!(traces.len(), 1);
    traces[0].assert_tree(
        "
        test SERVER test.v1.Kinds/Unary ERROR [rpc.status_code=INTERNAL]
          test INTERNAL work
    ",
    );
    assert_eq!(recorded(&telemetry), Recorded { kept_failed: 1, dropped: 3, ..Recorded::default() });
}

#[tokio::test]
async fn a_call_that_takes_long_is_exported_and_one_that_does_not_is_not() {
    for (limit, kept) in [(Duration::from_millis(15), 1), (Duration::from_secs(600), 0)] {
        let spans = Spans::new();
        let (telemetry, mut client) = keeping(&spans, Sampling::new().keep_slower_than(limit)).await;
        client.call("Unary", "dawdle").await.unwrap();
        client.call("Unary", "fail").await.unwrap_err();
        assert_eq!(names(&spans).await.len() as u64, recorded(&telemetry).kept_slow);
        assert!(recorded(&telemetry).kept_slow >= kept && recorded(&telemetry).kept_failed == 0);
        assert!(kept == 1 || recorded(&telemetry).dropped == 2);
    }
}

#[tokio::test]
async fn an_unsampled_trace_of_a_caller_is_kept_under_his_id_when_it_fails_here() {
    let spans = Spans::new();
    let (_, mut client) = keeping(&spans, Sampling::new().keep_errors()).await;
    client.send("Unary", request("", false)).await.unwrap();
    client.send("Unary", request("fail", false)).await.unwrap_err();
    spans.trace(TRACE).await.assert_tree(
        "
        (parent 00f067aa0ba902b7 not received)
          test SERVER test.v1.Kinds/Unary ERROR
            test INTERNAL work
    ",
    );
}

#[tokio::test]
async fn what_a_rule_never_samples_is_not_kept_either() {
    let spans = Spans::new();
    let sampling = Sampling::new().method("*/Unary", Sample::Never).method("*/Bidi", Sample::Ratio(0.0)).keep_errors();
    let (telemetry, mut client) = keeping(&spans, sampling).await;
    client.call("Unary", "fail").await.unwrap_err();
    client.call("Bidi", "fail").await.unwrap_err();
    assert_eq!(names(&spans).await, ["test.v1.Kinds/Bidi"]);
    assert_decided(&telemetry, "rule */Unary", 0, 1);
    assert_decided(&telemetry, "rule */Bidi", 0, 1);
}

/// Notes what each caller says of its trace, and fails if told.
fn noting(flags: &Arc<Mutex<Vec<String>>>) -> Handler {
    let flags = Arc::clone(flags);
    handler(move |request: Request<String>| {
        let parent = request.metadata().get("traceparent").unwrap().to_str().unwrap();
        flags.lock().unwrap().push(parent[53..].to_owned());
        async move { if request.get_ref() == "fail" { Err(failure()) } else { Ok(messages([Ok(String::new())])) } }
    })
}

/// Makes two calls of its own, the second with the message that it gets.
fn passing_on(telemetry: &Telemetry, next: SocketAddr) -> Handler {
    let telemetry = telemetry.clone();
    handler(move |request: Request<String>| {
        let mut next = client(&telemetry, next);
        async move {
            next.call("Bidi", "").await?;
            next.call("Bidi", request.get_ref()).await?.end?;
            Ok(messages([Ok(String::new())]))
        }
    })
}

#[tokio::test]
async fn those_behind_are_told_that_a_call_is_not_sampled_and_keep_what_they_fail_themselves() {
    let spans = Spans::new();
    let (_, behind) = (service(&spans, Sampling::new(), &[]), service(&spans, Sampling::new().keep_errors(), &[OFF]));
    let told_there = Arc::new(Mutex::new(Vec::new()));
    let next = serve(behind.rpc_server().trust(TrustTrace::All), noting(&told_there)).await;
    let front = spans
        .service_in(Service::new("front", "0").sampling(Sampling::new().keep_errors()), &[OFF].into_iter().collect());
    let mut client = plain(serve(front.rpc_server(), passing_on(&front, next)).await);
    client.call("Unary", "").await.unwrap();
    client.call("Unary", "fail").await.unwrap_err();
    // Both calls of the failed one are the caller's own; of those behind, only the one that failed there.
    let traces = spans.traces().await;
    assert_eq!(traces.len(), 1);
    traces[0].assert_tree(
        "
        front SERVER test.v1.Kinds/Unary ERROR
          front CLIENT test.v1.Kinds/Bidi
          front CLIENT test.v1.Kinds/Bidi ERROR
            test SERVER test.v1.Kinds/Bidi ERROR
    ",
    );
    assert_eq!(*told_there.lock().unwrap(), ["02"; 4]);
}
