use std::fmt;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::subscriber::with_default;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::*;

/// What was logged, without its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

/// Panics at every event.
struct Panics;

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl<S: Subscriber> Layer<S> for Panics {
    fn on_event(&self, _: &Event<'_>, _: LayerContext<'_, S>) {
        panic!("the subscriber's own");
    }
}

#[test]
fn each_change_is_told_once() {
    let fate = Fate::new(Signal::Traces);
    let lines = Lines::default();
    with_default(registry().with(lines.clone()), || {
        fate.working();
        fate.failing(&|| "down".to_owned());
        fate.failing(&|| "still down".to_owned());
        // Not yet: others may fail still.
        fate.working();
        for reason in ["", "too old", "too new"] {
            fate.rejected(0, false, reason);
        }
        assert!(fate.is_queue_full_news());
        assert!(!fate.is_queue_full_news());
        fate.tell_queue_full();
        fate.tell_spool_failed("it is full");
        fate.tell_spool_failed("it is still full");
        fate.tell_set_aside(1);
    });
    let expected = [
        "spans cannot be exported",
        "the collector refuses spans",
        "spans are dropped, too many wait for the collector",
        "spans are dropped, the spool does not take them",
        "spans on disk are not sent, they are of another format",
    ];
    assert_eq!(*lines.0.lock().unwrap(), expected);
}

#[test]
fn a_subscriber_that_panics_changes_no_count() {
    let fate = Fate::new(Signal::Logs);
    with_default(registry().with(Panics), || {
        fate.ended(10);
        fate.failing(&|| "down".to_owned());
        fate.dropped(1, Reason::ExportFailed);
        fate.exported(2, false);
        fate.rejected(3, false, "too old");
        fate.dropped(4, Reason::QueueFull);
        fate.tell_queue_full();
    });
    let account = fate.account(0);
    assert!(account.adds_up(), "{account:?}");
    assert_eq!((account.exported, account.rejected, account.dropped.all()), (2, 3, 5));
}

#[test]
fn operations_are_kept_apart_by_what_they_ended_with() {
    let fate = Fate::new(Signal::Metrics);
    fate.operated(10, Duration::from_millis(7), None);
    fate.operated(5, Duration::from_secs(60), None);
    fate.operated(1, Duration::ZERO, Some("UNAVAILABLE".to_owned()));
    let operations = fate.operations();
    let taken = &operations[&None];
    assert_eq!((taken.items, taken.count), (15, 2));
    // At most 5 ms, at most 10 s, and all.
    assert_eq!((taken.within[0], taken.within[BUCKETS.len() - 1]), (0, 1));
    assert_eq!(operations[&Some("UNAVAILABLE".to_owned())].within, [1; BUCKETS.len()]);
}
