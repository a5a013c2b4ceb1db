//! Calls that are sampled and calls that are not, on one thread.

use std::panic::AssertUnwindSafe;
use std::pin::pin;

use telemetry::Deadline;
use tracing::Instrument;

use super::*;

/// Passes once, after others had a chance to run.
async fn turn() {
    tokio::task::yield_now().await;
}

fn nothing_is_left() {
    assert_eq!((telemetry::trace_id(), Deadline::current()), (None, None));
}

#[tokio::test]
async fn a_call_inside_another_is_sampled_as_its_own_caller_says() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    for (outer, inner) in [("00", "01"), ("01", "00")] {
        let within = async {
            step(inner).await;
            turn().await;
            telemetry::spawn(step(inner)).await.unwrap();
        };
        let around = async {
            step(outer).await;
            serve_here(&telemetry, inner, within).await;
            step(outer).await;
            telemetry::spawn(step(outer)).await.unwrap();
        };
        let instrumented = async { around.instrument(tracing::info_span!("around")).await };
        serve_here(&telemetry, outer, instrumented).await;
        nothing_is_left();
    }
    let server = "test SERVER test.v1.Kinds/Unary";
    let steps = ["test INTERNAL 01"; 2 + 3];
    assert_eq!(exported(&spans).await, [&steps[..], &["test INTERNAL around"], &[server; 2]].concat());
}

#[tokio::test]
async fn a_panic_or_a_call_that_is_dropped_leaves_nothing_behind() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    for (ends, goes_on) in [("00", "01"), ("01", "00")] {
        let panicking = serve_here(&telemetry, ends, async {
            turn().await;
            panic!("the handler's own")
        });
        let unwinding = AssertUnwindSafe(serve_here(&telemetry, goes_on, async {
            // The layer answers for the inner panic; only this one unwinds.
            panicking.await;
            step(goes_on).await;
            assert!(Deadline::current().is_some());
        }))
        .catch_unwind();
        unwinding.await.unwrap();
        nothing_is_left();

        serve_here(&telemetry, goes_on, async {
            let half_way = serve_here(&telemetry, ends, async {
                step(ends).await;
                std::future::pending().await
            });
            assert!(half_way.now_or_never().is_none());
            step(goes_on).await;
        })
        .await;
        nothing_is_left();
    }
    let steps = exported(&spans).await.iter().filter(|name| *name == "test INTERNAL 01").count();
    assert_eq!(steps, 3, "two of the calls that went on, one of the call that was dropped");
}

#[tokio::test]
async fn calls_that_take_turns_on_one_thread_keep_apart() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    let work = |name: &'static str, limit: &'static str| {
        let headers = [("traceparent", &*parent(name)), ("grpc-timeout", limit)];
        let hours = limit.trim_end_matches('H').parse::<u64>().unwrap();
        serve_by(telemetry.rpc_server().trust(TrustTrace::All), &headers, async move {
            for _ in 0..3 {
                step(name).await;
                turn().await;
                let left = Deadline::current().unwrap().remaining().as_secs();
                assert_eq!(left.div_ceil(3600), hours);
            }
        })
    };
    tokio::join!(work("01", "1H"), work("00", "2H"), work("01", "3H"), work("00", "4H"));
    nothing_is_left();
    assert_eq!(exported(&spans).await.iter().filter(|name| *name == "test INTERNAL 01").count(), 6);
}

/// Two services of one process may sample differently.
#[tokio::test]
async fn an_unsampled_call_of_another_service_leaves_the_callers_span_alone() {
    let spans = Spans::new();
    let front = service(&spans, "front", &[]);
    let silent = service(&spans, "silent", &[("OTEL_TRACES_SAMPLER", "always_off")]);
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&sent);
    let next = serve(
        silent.rpc_server(),
        handler(move |request: Request<String>| {
            seen.lock().unwrap().push(request.metadata().get("traceparent").unwrap().to_str().unwrap().to_owned());
            async { Err(Status::not_found("nothing here")) }
        }),
    )
    .await;
    let (mut next, (start, started)) = (client(&silent, next), tokio::sync::oneshot::channel());
    let mut later = next.clone();
    let mut after = None;
    serve_here(&front, "01", async {
        next.call("Bidi", "").await.unwrap_err();
        let sending = silent.producer("outbox", "orders").send().message_id("m-1");
        sending.run(async { Ok::<_, Infallible>(()) }).await.unwrap();
        telemetry::set_attribute("after", true);
        after = Some(telemetry::spawn(async move {
            started.await.unwrap();
            later.call("Bidi", "").await.unwrap_err();
        }));
    })
    .await;
    let trace = spans.trace(TRACE).await;
    let span = trace.span("SERVER", "test.v1.Kinds/Unary");
    assert_eq!((span.attribute("rpc.status_code"), span.attribute("after")), (Some("OK"), Some("true")));
    assert_eq!((span.is_error, span.attribute("messaging.message.id")), (false, None));

    // The span has ended; that it was sampled is nothing to go by either.
    start.send(()).unwrap();
    after.unwrap().await.unwrap();
    let sent = sent.lock().unwrap();
    assert!(sent.len() == 2 && sent.iter().all(|sent| sent.contains(TRACE) && sent.ends_with("-00")), "{sent:?}");
}

/// A future that is moved to another thread half-way takes its call along and leaves nothing.
#[test]
fn a_call_that_changes_threads_takes_its_scope_along() {
    let spans = Spans::new();
    let telemetry = service(&spans, "test", &[]);
    let mut call = Box::pin(serve_here(&telemetry, "00", async {
        assert!(Deadline::current().is_some());
        turn().await;
        assert_eq!(telemetry::trace_id().as_deref(), Some(TRACE));
        assert!(Deadline::current().is_some());
    }));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        assert!(futures_util::poll!(call.as_mut()).is_pending());
        nothing_is_left();
    });
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            first.block_on(async {
                pin!(call).await;
                nothing_is_left();
            });
        });
        there.join().unwrap();
    });
}
