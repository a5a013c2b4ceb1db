//! Nothing that is done for an unsampled call is exported, wherever it is done.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use sqlx::SqlitePool;
use telemetry::{DatabaseSystem, HttpCall, Propagate, Sampling};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::*;
use crate::kinds::Messages;

/// An HTTP server that answers with the `traceparent` that it was sent.
async fn echo() -> SocketAddr {
    let sent = |headers: HeaderMap| async move { headers["traceparent"].to_str().unwrap().to_owned() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(axum::serve(listener, Router::new().route("/echo", get(sent))).into_future());
    address
}

/// Does one of each thing that makes a span; gives back the `traceparent` that went out over HTTP.
async fn everything(telemetry: Telemetry, http: SocketAddr) -> String {
    step("own").await;
    telemetry::spawn(step("spawned")).await.unwrap();
    telemetry::spawn_detached(Duration::from_secs(60), step("detached")).await.unwrap();
    let (db, pool) =
        (telemetry.database(DatabaseSystem::Sqlite, "test"), SqlitePool::connect("sqlite::memory:").await.unwrap());
    sqlx::query("SELECT 1").execute(db.on(&pool)).await.unwrap();
    let sending = telemetry.producer("outbox", "orders").send();
    sending.run(step("sending").map(Ok::<_, Infallible>)).await.unwrap();
    let client = telemetry.http_client(reqwest::Client::new()).propagate(Propagate::TraceParent);
    let request = client.get_ref().get(format!("http://{http}/echo")).build().unwrap();
    let call = HttpCall { url_template: "/echo", resend_count: 0 };
    client.execute(request, call).await.unwrap().text().await.unwrap()
}

fn streaming(telemetry: &Telemetry, http: SocketAddr, sent: &Arc<Mutex<Vec<String>>>) -> Handler {
    let (telemetry, sent) = (telemetry.clone(), Arc::clone(sent));
    handler(move |_| {
        let (telemetry, sent) = (telemetry.clone(), Arc::clone(&sent));
        async move {
            let text = everything(telemetry.clone(), http).await;
            sent.lock().unwrap().push(text);
            let later = tokio_stream::once(()).then(move |()| {
                let (telemetry, sent) = (telemetry.clone(), Arc::clone(&sent));
                async move {
                    let text = everything(telemetry, http).await;
                    sent.lock().unwrap().push(text);
                    Ok(String::new())
                }
            });
            Ok(Box::pin(later) as Messages)
        }
    })
}

/// On one thread, so that a subscriber of the test's own holds for all of it: its spans outside any call would be exported.
#[tokio::test]
async fn nothing_done_in_a_handler_a_task_or_a_body_is_exported() {
    let unsampled = parent("00");
    let own = "the service's own";
    for (headers, settings, trace) in [
        (&[("traceparent", &*unsampled)][..], &[][..], TRACE),
        (&[][..], &[OFF][..], own),
        (&[("traceparent", &*unsampled)][..], &[("OTEL_TRACES_SAMPLER", "always_off")][..], TRACE),
    ] {
        let spans = Spans::new();
        let telemetry = service(&spans, "test", settings);
        let _subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer()).set_default();
        let sent = Arc::default();
        let layer = telemetry.rpc_server().trust(TrustTrace::All);
        let address = serve(layer, streaming(&telemetry, echo().await, &sent)).await;
        plain(address).send("ServerStream", request(headers)).await.unwrap().end.unwrap();
        assert_eq!(exported(&spans).await, [""; 0]);
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0], sent[1], "all is one trace");
        assert!(!sent[0].ends_with('1') && (trace == own || sent[0].contains(trace)), "{sent:?}");
    }
}

#[tokio::test]
async fn all_of_the_same_is_exported_of_a_sampled_call() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    let _subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer()).set_default();
    let layer = telemetry.rpc_server().trust(TrustTrace::All);
    let address = serve(layer, streaming(&telemetry, echo().await, &Arc::default())).await;
    let headers = [("traceparent", &*parent("01"))];
    plain(address).send("ServerStream", request(&headers)).await.unwrap().end.unwrap();
    let once = ["own", "spawned", "detached", "sending"].map(|name| format!("test INTERNAL {name}"));
    let names = exported(&spans).await;
    let twice = once.iter().all(|name| names.iter().filter(|other| *other == name).count() == 2);
    assert!(twice && names.len() == 1 + 2 * 7, "{names:?}");
    assert_eq!(spans.traces().await.len(), 1);
}

/// They are recorded though they are not sampled, and so is all below them.
#[tokio::test]
async fn all_of_the_same_is_exported_of_a_call_that_is_kept() {
    let spans = Spans::new();
    let keeping = Service::new("test", "0").sampling(Sampling::new().keep_errors());
    let telemetry = spans.service_in(keeping, &[OFF].into_iter().collect());
    let _subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer()).set_default();
    let (own, http) = (telemetry.clone(), echo().await);
    let failing = handler(move |_| {
        let telemetry = own.clone();
        async move {
            let sent = everything(telemetry, http).await;
            assert!(!sent.ends_with('1'), "{sent} is not sampled");
            Err(Status::internal("broken"))
        }
    });
    plain(serve(telemetry.rpc_server(), failing).await).send("Unary", request(&[])).await.unwrap_err();
    assert_eq!(exported(&spans).await.len(), 1 + 7);
    assert_eq!(spans.traces().await.len(), 1);
}

/// The messages of an outgoing call are made on a task of the transport.
#[tokio::test]
async fn what_is_done_for_the_messages_of_an_outgoing_call_is_not_exported() {
    for (flags, expected) in [("00", 0), ("01", 4)] {
        let spans = Spans::new();
        let telemetry = service(&spans, "test", &[]);
        let _subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer()).set_default();
        let layer = telemetry.rpc_server().trust(TrustTrace::All);
        let next = serve(layer.clone(), handler(|_| async { Ok(messages([Ok(String::new())])) })).await;
        let own = telemetry.clone();
        let first = serve(
            layer,
            handler(move |_| {
                let mut next = client(&own, next);
                async move {
                    let sent = tokio_stream::once(()).then(|()| async {
                        step("message").await;
                        String::new()
                    });
                    next.inner.ready().await.unwrap();
                    let path = "/test.v1.Kinds/ClientStream".parse().unwrap();
                    let codec = tonic_prost::ProstCodec::<String, String>::default();
                    next.inner.client_streaming(Request::new(sent), path, codec).await?;
                    Ok(messages([Ok(String::new())]))
                }
            }),
        )
        .await;
        plain(first).send("Unary", request(&[("traceparent", &parent(flags))])).await.unwrap();
        assert_eq!(exported(&spans).await.len(), expected, "{flags}");
    }
}

thread_local! {
    static SHOWN: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Counts how often it is shown.
struct Counting;

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SHOWN.set(SHOWN.get() + 1);
        f.write_str("counting")
    }
}

#[tracing::instrument(skip_all, fields(costly = %Counting))]
async fn costly() {
    let _inner = tracing::info_span!("inner", costly = %Counting).entered();
}

#[tokio::test]
async fn the_fields_of_spans_that_are_not_made_are_not_evaluated() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    serve_here(&telemetry, "00", costly()).await;
    assert_eq!(SHOWN.get(), 0);
    serve_here(&telemetry, "01", costly()).await;
    assert_eq!(SHOWN.get(), 2);
    serve_here(&telemetry, "00", costly()).await;
    assert_eq!(SHOWN.get(), 2);
}
