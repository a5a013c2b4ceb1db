use std::time::SystemTime;

use opentelemetry::trace::{
    Span as _, SpanBuilder, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler as Stock, SdkTracer, SdkTracerProvider, Span, SpanProcessor};

use super::super::keeping::Keeping;
use super::super::{Sampling, SamplingReport};
use super::*;

/// What has come out, in order: `name`, or `(name)` if it is not sampled.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl SpanProcessor for Seen {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let name = span.name.to_string();
        lock(&self.0).push(if span.span_context.is_sampled() { name } else { format!("({name})") });
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// A tracer that samples nothing and keeps what fails or takes more than a second.
struct Unsampled {
    tracer: SdkTracer,
    seen: Seen,
    keeper: Arc<Keeper>,
}

impl Unsampled {
    fn with(room: Room) -> Self {
        let (seen, limit) = (Seen::default(), Some(Duration::from_secs(1)));
        let keeper = Arc::new(Keeper::new(true, limit, room));
        let off = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")].into_iter().collect();
        // Its own keeper takes no part; it records because there is one.
        let sampler = Sampling::new().keep_errors().sampler(&off);
        let processor = Keeping::new(seen.clone(), Some(Arc::clone(&keeper)));
        let provider = SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(processor).build();
        Self { tracer: provider.tracer("test"), seen, keeper }
    }

    fn start(&self, name: &'static str, parent: &Context) -> Context {
        parent.with_span(self.tracer.build_with_context(SpanBuilder::from_name(name), parent))
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.seen.0))
    }

    #[track_caller]
    fn assert_empty(&self) {
        assert!(self.keeper.open.iter().all(|shard| lock(shard).is_empty()));
        assert_eq!(self.keeper.room.used(), (0, 0));
    }
}

fn fail(cx: &Context) {
    end(cx, true);
}

fn end(cx: &Context, fails: bool) {
    if fails {
        cx.span().set_status(Status::error("failed"));
    }
    cx.span().end();
}

#[test]
fn a_call_that_fails_goes_on_whole_and_sampled_and_one_that_does_not_unsampled() {
    let it = Unsampled::with(Room::default());
    for fails in [true, false] {
        let root = it.start("root", &Context::new());
        let child = it.start("child", &root);
        it.start("grandchild", &child).span().end();
        child.span().end();
        assert_eq!(it.seen(), [""; 0], "nothing is known yet");
        end(&root, fails);
        let expected = if fails { ["grandchild", "child", "root"] } else { ["(grandchild)", "(child)", "(root)"] };
        assert_eq!(it.seen(), expected);
    }
    assert_eq!(it.keeper.recorded(), Recorded { kept_failed: 1, dropped: 1, ..Recorded::default() });
    it.assert_empty();
}

#[test]
fn only_the_end_of_the_call_counts_and_only_more_than_the_limit_is_slow() {
    let it = Unsampled::with(Room::default());
    for seconds in [1, 2] {
        let root = it.start("root", &Context::new());
        fail(&it.start("child", &root));
        let start = SystemTime::now();
        drop(root);
        let builder = SpanBuilder::from_name("timed").with_start_time(start);
        let mut timed = it.tracer.build_with_context(builder, &Context::new());
        timed.end_with_timestamp(start + Duration::from_secs(seconds));
    }
    assert_eq!(it.seen(), ["(child)", "(root)", "(timed)", "(child)", "(root)", "timed"]);
    assert_eq!(it.keeper.recorded(), Recorded { kept_slow: 1, dropped: 3, ..Recorded::default() });
    it.assert_empty();
}

#[test]
fn two_calls_of_one_trace_are_kept_each_for_itself() {
    let it = Unsampled::with(Room::default());
    let caller = SpanContext::new(TraceId::from(7), SpanId::from(7), TraceFlags::default(), true, TraceState::NONE);
    let caller = Context::new().with_remote_span_context(caller);
    let (first, second) = (it.start("first", &caller), it.start("second", &caller));
    it.start("of first", &first).span().end();
    it.start("of second", &second).span().end();
    fail(&second);
    assert_eq!(it.seen(), ["of second", "second"]);
    first.span().end();
    assert_eq!(it.seen(), ["(of first)", "(first)"]);
    it.assert_empty();
}

#[test]
fn what_outlives_its_call_goes_the_same_way() {
    let it = Unsampled::with(Room::default());
    for fails in [true, false] {
        let root = it.start("root", &Context::new());
        let detached = it.start("detached", &root);
        end(&root, fails);
        it.start("below", &detached).span().end();
        detached.span().end();
        // The call it would belong to is over.
        it.start("too late", &root).span().end();
        let expected = if fails { ["root", "below", "detached"] } else { ["(root)", "(below)", "(detached)"] };
        assert_eq!(it.seen(), expected);
    }
    it.assert_empty();
}

#[test]
fn a_call_of_too_many_spans_is_cut_to_its_first_one() {
    let it = Unsampled::with(Room::new(10, 3, 1 << 20));
    let root = it.start("root", &Context::new());
    let open = it.start("open", &root);
    it.start("second", &open).span().end();
    it.start("third", &open).span().end();
    let fourth = it.start("fourth", &open);
    assert_eq!(it.seen(), ["(second)", "(third)"], "room was made");
    fourth.span().end();
    open.span().end();
    fail(&root);
    assert_eq!(it.seen(), ["(fourth)", "(open)", "root"]);
    assert_eq!(it.keeper.recorded(), Recorded { kept_failed: 1, cut: 1, ..Recorded::default() });
    it.assert_empty();
}

#[test]
fn spans_of_too_many_bytes_and_calls_beyond_the_room_are_cut_too() {
    let it = Unsampled::with(Room::new(1, 10, 10_000));
    let root = it.start("root", &Context::new());
    let large = it.start("large", &root);
    large.span().set_attribute(KeyValue::new("text", "x".repeat(10_000)));
    large.span().end();
    assert_eq!(it.seen(), ["(large)"]);

    let second = it.start("second", &Context::new());
    it.start("of second", &second).span().end();
    fail(&second);
    fail(&root);
    assert_eq!(it.seen(), ["(of second)", "second", "root"]);
    assert_eq!(it.keeper.recorded().cut, 2);
    it.assert_empty();
}

#[test]
fn sampled_spans_pass_at_once() {
    let (seen, keeper) = (Seen::default(), Keeper::new(true, None, Room::default()));
    let processor = Keeping::new(seen.clone(), Some(Arc::new(keeper)));
    let provider = SdkTracerProvider::builder().with_sampler(Stock::AlwaysOn).with_span_processor(processor).build();
    let tracer = provider.tracer("test");
    let root = Context::new().with_span(tracer.start_with_context("root", &Context::new()));
    tracer.start_with_context("child", &root).end();
    assert_eq!(*lock(&seen.0), ["child"]);
}

#[test]
fn calls_on_many_threads_leave_nothing_behind() {
    let it = Arc::new(Unsampled::with(Room::new(20, 10, 20_000)));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let it = Arc::clone(&it);
            std::thread::spawn(move || {
                for call in 0..200 {
                    let root = it.start("root", &Context::new());
                    let children: Vec<_> = (0..call % 15).map(|_| it.start("child", &root)).collect();
                    let other = std::thread::spawn(move || children.iter().for_each(|child| child.span().end()));
                    end(&root, call % 2 == 0);
                    other.join().unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    it.assert_empty();
    let recorded = it.keeper.recorded();
    assert_eq!((recorded.kept_failed, recorded.dropped), (800, 800));
    let seen = it.seen();
    assert_eq!(seen.iter().filter(|name| *name == "root").count(), 800);
    assert_eq!(seen.iter().filter(|name| *name == "(root)").count(), 800);
    let children: usize = (0..200).map(|call| call % 15).sum();
    assert_eq!(seen.len(), 8 * (200 + children), "every span has come out once");
}

#[test]
fn reports_of_a_service_that_records_nothing_say_so() {
    let report: SamplingReport = Sampling::new().sampler(&crate::Environment::default()).report();
    assert_eq!(report.recorded, None);
}
