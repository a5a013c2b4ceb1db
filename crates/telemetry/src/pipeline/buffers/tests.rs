use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanKind, Status};
use opentelemetry::{KeyValue, SpanId};
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

use super::*;

const MIB: usize = 1 << 20;

/// A span with so much text.
fn span(length: usize, scope: &'static str) -> SpanData {
    SpanData {
        span_context: SpanContext::NONE,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "".into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: vec![KeyValue::new("text", "x".repeat(length))],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder(scope).build(),
    }
}

/// What is counted as being here: spans, bytes, and spans that wait.
fn counted(buffers: &Buffers) -> (usize, usize, usize) {
    let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    (of(&buffers.spans), of(&buffers.bytes), of(&buffers.waiting))
}

/// Takes all that waits and says how many spans were in each request.
fn sent(buffers: &Buffers) -> Vec<usize> {
    let requests = buffers.take(&[]);
    requests.iter().for_each(|request| buffers.done(request));
    requests.iter().map(|request| request.spans).collect()
}

#[test]
fn what_many_threads_add_while_it_is_taken_is_all_accounted_for() {
    const THREADS: usize = 2 * BUFFERS;
    const EACH: usize = 2_000;
    let (buffers, has_ended) = (Buffers::new(300, 7), AtomicBool::new(false));
    let scopes = ["a", "b", "c"];
    let (mut taken, mut dropped) = (0, 0);
    thread::scope(|threads| {
        let add = |number: usize| {
            let spans = scopes.map(|scope| span(number, scope));
            (0..EACH).filter(|at| buffers.add(&spans[at % spans.len()]) == Added::Dropped).count()
        };
        let adding: Vec<_> = (0..THREADS).map(|number| threads.spawn(move || add(number))).collect();
        let taking = threads.spawn(|| {
            let mut taken = 0;
            while !has_ended.load(Ordering::Relaxed) {
                let sent = sent(&buffers);
                assert!(sent.iter().all(|spans| (1..=7).contains(spans)), "{sent:?}");
                taken += sent.iter().sum::<usize>();
            }
            taken
        });
        dropped = adding.into_iter().map(|adding| adding.join().unwrap()).sum();
        has_ended.store(true, Ordering::Relaxed);
        taken = taking.join().unwrap();
    });
    taken += sent(&buffers).iter().sum::<usize>();
    assert_eq!(taken + dropped, THREADS * EACH);
    assert_eq!(counted(&buffers), (0, 0, 0));
}

#[test]
fn every_request_that_is_full_is_told_of() {
    let buffers = Buffers::new(100, 3);
    let added = || buffers.add(&span(1, "a"));
    let all = [added(), added(), added(), added(), added(), added()];
    assert_eq!(all.map(|added| added == Added::FillsRequest), [false, false, true, false, false, true]);
    assert_eq!(sent(&buffers), [3, 3]);
}

#[test]
fn a_request_is_full_of_bytes_as_well() {
    let buffers = Buffers::new(100, 100);
    let added = || buffers.add(&span(MIB, "a"));
    assert_eq!([added(), added()], [Added::Waits, Added::FillsRequest]);
    assert_eq!(sent(&buffers).iter().sum::<usize>(), 2);
}

#[test]
fn a_span_that_is_too_large_leaves_alone() {
    let buffers = Buffers::new(100, 100);
    for length in [1, 10 * MIB, 1, 2 * MIB - 1000, 3 * MIB, 1] {
        buffers.add(&span(length, "a"));
    }
    let requests = buffers.take(&[]);
    assert!(requests.iter().all(|request| request.spans == 1 || request.body.len() < 2 * MIB + 1000));
    assert_eq!(requests.iter().map(|request| request.spans).sum::<usize>(), 6);
    requests.iter().for_each(|request| buffers.done(request));
    assert_eq!(counted(&buffers), (0, 0, 0));
}

#[test]
fn what_waits_takes_no_more_than_there_is_room_for_and_one_span() {
    let buffers = Buffers::new(1000, 1000);
    let large = span(MIB, "a");
    let dropped = (0..100).filter(|_| buffers.add(&large) == Added::Dropped).count();
    assert_eq!(dropped, 36);
    let (spans, bytes, waiting) = counted(&buffers);
    assert_eq!((spans, waiting), (64, 64));
    assert!((MOST_BYTES..MOST_BYTES + 2 * MIB).contains(&bytes));
    // What is on its way takes room until it has arrived.
    let requests = buffers.take(&[]);
    assert_eq!(buffers.add(&large), Added::Dropped);
    requests.iter().for_each(|request| buffers.done(request));
    assert_eq!(counted(&buffers), (0, 0, 0));
    assert_ne!(buffers.add(&large), Added::Dropped);
}
