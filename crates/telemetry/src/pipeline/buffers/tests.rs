use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;

const MIB: usize = 1 << 20;

/// Adds an item of so many bytes.
fn add(buffers: &Buffers, length: usize, scope: &'static str) -> Added {
    buffers.add(&InstrumentationScope::builder(scope).build(), |out| out.resize(out.len() + length, 0))
}

fn buffers(most: usize, batch: usize) -> Arc<Buffers> {
    Arc::new(Buffers::new(Framing::Otlp { resource: Vec::new() }, most, batch))
}

/// What is counted as being here: items that wait, and bytes.
fn counted(buffers: &Buffers) -> (usize, usize) {
    (buffers.waiting(), buffers.bytes.load(Ordering::Relaxed))
}

/// Takes all that waits and says how many items were in each request.
fn sent(buffers: &Arc<Buffers>) -> Vec<usize> {
    let requests = buffers.take();
    requests.iter().for_each(|request| drop(buffers.leave(request)));
    requests.iter().map(|request| request.items).collect()
}

#[test]
fn what_many_threads_add_while_it_is_taken_is_all_accounted_for() {
    const THREADS: usize = 2 * BUFFERS;
    const EACH: usize = 2_000;
    let (buffers, has_ended) = (buffers(300, 7), AtomicBool::new(false));
    let scopes = ["a", "b", "c"];
    let (mut taken, mut dropped) = (0, 0);
    thread::scope(|threads| {
        let add = |number: usize| {
            (0..EACH).filter(|at| add(&buffers, number, scopes[at % scopes.len()]) == Added::Full).count()
        };
        let adding: Vec<_> = (0..THREADS).map(|number| threads.spawn(move || add(number))).collect();
        let taking = threads.spawn(|| {
            let mut taken = 0;
            while !has_ended.load(Ordering::Relaxed) {
                let sent = sent(&buffers);
                assert!(sent.iter().all(|items| (1..=7).contains(items)), "{sent:?}");
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
    assert_eq!(counted(&buffers), (0, 0));
}

#[test]
fn every_request_that_is_full_is_told_of() {
    let buffers = buffers(100, 3);
    let added = || add(&buffers, 1, "a");
    let all = [added(), added(), added(), added(), added(), added()];
    assert_eq!(all.map(|added| added == Added::FillsRequest), [false, false, true, false, false, true]);
    assert_eq!(sent(&buffers), [3, 3]);
}

#[test]
fn a_request_is_full_of_bytes_as_well() {
    let buffers = buffers(100, 100);
    let added = || add(&buffers, MIB, "a");
    assert_eq!([added(), added()], [Added::Waits, Added::FillsRequest]);
    assert_eq!(sent(&buffers).iter().sum::<usize>(), 2);
}

#[test]
fn a_span_that_is_too_large_leaves_alone() {
    let buffers = buffers(100, 100);
    for length in [1, 10 * MIB, 1, 2 * MIB - 1000, 3 * MIB, 1] {
        add(&buffers, length, "a");
    }
    let requests = buffers.take();
    assert!(requests.iter().all(|request| request.items == 1 || request.body.len() < 2 * MIB + 1000));
    assert_eq!(requests.iter().map(|request| request.items).sum::<usize>(), 6);
    requests.iter().for_each(|request| drop(buffers.leave(request)));
    assert_eq!(counted(&buffers), (0, 0));
}

#[test]
fn what_waits_takes_no_more_than_there_is_room_for_and_one_span() {
    let buffers = buffers(1000, 1000);
    let large = || add(&buffers, MIB, "a");
    assert_eq!((0..100).filter(|_| large() == Added::Full).count(), 36);
    assert_eq!(counted(&buffers), (64, MOST_BYTES));
    // What is on its way takes room until it has arrived.
    let requests = buffers.take();
    let rooms: Vec<_> = requests.iter().map(|request| buffers.leave(request)).collect();
    assert_eq!((counted(&buffers), large()), ((0, MOST_BYTES), Added::Full));
    drop(rooms);
    assert_eq!(counted(&buffers), (0, 0));
    assert_ne!(large(), Added::Full);
}

#[test]
fn what_comes_after_the_end_is_told_apart_and_what_came_before_is_still_there() {
    let buffers = buffers(100, 100);
    add(&buffers, 1, "a");
    buffers.close();
    assert_eq!(add(&buffers, 1, "a"), Added::Closed);
    assert_eq!(sent(&buffers), [1]);
    assert_eq!(counted(&buffers), (0, 0));
}

#[test]
fn text_is_put_together_as_it_is() {
    let buffers = Buffers::new(Framing::Text, 100, 100);
    let scope = InstrumentationScope::builder("a").build();
    for line in ["one\n", "two\n"] {
        buffers.add(&scope, |out| out.extend_from_slice(line.as_bytes()));
    }
    assert_eq!(buffers.take()[0].body, "one\ntwo\n");
}
