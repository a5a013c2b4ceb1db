//! Whom a server believes, request by request, and what baggage it lets in.

use axum::Router;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::routing::get;
use telemetry::{ExtractContext, InjectContext, in_context};
use tokio::net::TcpListener;
use tonic::service::Interceptor;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::*;

/// Believes whoever names a friend; whoever names an enemy has it panic.
fn policy(request: &Parts) -> TrustTrace {
    match request.headers.get("x-peer").map(|peer| peer.as_bytes()) {
        Some(b"friend") => TrustTrace::All,
        Some(b"enemy") => panic!("the policy's own"),
        _ => TrustTrace::None,
    }
}

/// What a handler sends on: whether it is the caller's trace, the baggage, and the `tracestate`.
type Passed = (bool, Vec<String>, Option<String>);

fn passed_on() -> Passed {
    let request = InjectContext::default().call(Request::new(())).unwrap();
    let header = |name| request.metadata().get(name).map(|value| value.to_str().unwrap().to_owned());
    let baggage = header("baggage").unwrap_or_default();
    let mut members: Vec<_> = baggage.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    members.sort();
    (header("traceparent").unwrap()[3..].starts_with(TRACE), members, header("tracestate"))
}

/// What is passed on of a call that `peer` makes, over gRPC and over HTTP.
async fn both(peer: &str, flags: &str, keys: Option<&[&str]>) -> [Passed; 2] {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    let headers = [
        ("traceparent", &*parent(flags)),
        ("tracestate", "a=1"),
        ("baggage", "tenant=t-1;level=2,user=ada%2C"),
        ("baggage", "Tenant=other"),
        ("x-peer", peer),
    ];
    let (rpc, http) = (telemetry.rpc_server().trust_by(policy), telemetry.http_server().trust_by(policy));
    let rpc = keys.map_or(rpc.clone(), |keys| rpc.baggage(keys.iter().copied()));
    let http = keys.map_or(http.clone(), |keys| http.baggage(keys.iter().copied()));
    let seen = Arc::new(Mutex::new(None));
    let there = Arc::clone(&seen);
    serve_by(rpc, &headers, async move { *there.lock().unwrap() = Some(passed_on()) }).await;
    let over_rpc = seen.lock().unwrap().take().unwrap();

    let there = Arc::clone(&seen);
    let work = move || async move { *there.lock().unwrap() = Some(passed_on()) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(axum::serve(listener, Router::new().route("/", get(work)).layer(http)).into_future());
    let sent: HeaderMap = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    reqwest::Client::new().get(url).headers(sent).send().await.unwrap();
    let over_http = seen.lock().unwrap().take().unwrap();

    let is_linked =
        |trace: &telemetry::testing::Trace| trace.spans()[0].links == [(TRACE.to_owned(), CALLER.to_owned())];
    let linked = spans.traces().await.iter().filter(|trace| is_linked(trace)).count();
    assert_eq!(linked, if peer == "friend" { 0 } else { 2 }, "{peer}");
    [over_rpc, over_http]
}

fn passed(is_continued: bool, baggage: &[&str], state: Option<&str>) -> [Passed; 2] {
    let members = || baggage.iter().map(|member| (*member).to_owned()).collect();
    [(); 2].map(|()| (is_continued, members(), state.map(str::to_owned)))
}

#[tokio::test]
async fn a_policy_decides_by_the_requests_head_and_one_that_panics_believes_nobody() {
    for flags in ["00", "01"] {
        let all = ["Tenant=other", "tenant=t-1;level=2", "user=ada%2C"];
        assert_eq!(both("friend", flags, None).await, passed(true, &all, Some("a=1")));
        for peer in ["enemy", "stranger", ""] {
            assert_eq!(both(peer, flags, None).await, passed(false, &[], None), "{peer}");
        }
    }
}

#[tokio::test]
async fn only_listed_baggage_is_let_in_whoever_sends_it() {
    let (keys, tenant) = (&["tenant", "missing"], &["tenant=t-1;level=2"]);
    for flags in ["00", "01"] {
        assert_eq!(both("friend", flags, Some(keys)).await, passed(true, tenant, Some("a=1")));
        assert_eq!(both("friend", flags, Some(&[])).await, passed(true, &[], Some("a=1")));
        for peer in ["enemy", "stranger"] {
            assert_eq!(both(peer, flags, Some(keys)).await, passed(false, tenant, None), "{peer}");
            assert_eq!(both(peer, flags, Some(&[])).await, passed(false, &[], None), "{peer}");
        }
    }
}

#[tokio::test]
async fn an_unsampled_hop_passes_tracestate_random_flag_and_baggage_on() {
    for (flags, passed_flags) in [("00", "-00"), ("02", "-02")] {
        let spans = Spans::new();
        let telemetry = service(&spans, "test", &[]);
        let seen = Arc::new(Mutex::new(None));
        let there = Arc::clone(&seen);
        let next = serve(
            telemetry.rpc_server().trust(TrustTrace::All),
            handler(move |request: Request<String>| {
                *there.lock().unwrap() = Some(request.metadata().clone());
                async { Ok(messages([Ok(String::new())])) }
            }),
        )
        .await;
        let mut next = client(&telemetry, next);
        let headers = [
            ("traceparent", &*parent(flags)),
            ("tracestate", "foo@bar@baz=1,b=2"),
            ("tracestate", "c=3"),
            ("baggage", "name=100%2541"),
        ];
        serve_by(telemetry.rpc_server().trust(TrustTrace::All), &headers, async {
            telemetry::spawn(async move { next.call("Unary", "").await.unwrap() }).await.unwrap();
        })
        .await;
        let sent = seen.lock().unwrap().take().unwrap();
        let header = |name: &str| sent.get(name).unwrap().to_str().unwrap();
        assert_eq!((header("tracestate"), header("baggage")), ("foo@bar@baz=1,b=2,c=3", "name=100%2541"));
        let traceparent = header("traceparent");
        assert!(traceparent.starts_with(&format!("00-{TRACE}-")) && traceparent.ends_with(passed_flags));
        assert!(!traceparent.contains(CALLER), "the hop is a parent of its own");
    }
}

/// The caller of another process advises; the service's sampler decides.
#[tokio::test]
async fn what_is_done_in_a_context_that_was_only_extracted_is_sampled_as_the_service_says() {
    let by_parent = "parentbased_always_on";
    for (flags, sampler, expected) in [("00", by_parent, 0), ("01", by_parent, 2), ("00", "always_on", 2)] {
        let spans = Spans::new();
        let telemetry = service(&spans, "test", &[("OTEL_TRACES_SAMPLER", sampler)]);
        let _subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer()).set_default();
        let next = service(&Spans::new(), "next", &[OFF]);
        let next = serve(next.rpc_server(), handler(|_| async { Ok(messages([Ok(String::new())])) })).await;
        let mut next = client(&telemetry, next);
        let request = request(&[("traceparent", &parent(flags))]).map(drop);
        let request = ExtractContext::default().call(request).unwrap();
        in_context(&request, async {
            step("own").await;
            next.call("Unary", "").await.unwrap();
        })
        .await;
        let all = exported(&spans).await;
        assert_eq!(all.len(), expected, "{flags} {sampler}: {all:?}");
    }
}
