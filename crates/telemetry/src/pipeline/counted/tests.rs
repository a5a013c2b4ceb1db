use std::fmt;
use std::sync::Mutex;

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

fn fate() -> (Fate, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    (Fate::new(Arc::clone(&counts), "spans"), counts)
}

#[test]
fn each_change_is_told_once() {
    let (fate, _) = fate();
    let lines = Lines::default();
    with_default(registry().with(lines.clone()), || {
        for result in [Ok(()), Err("down"), Err("down"), Ok(()), Ok(()), Err("down")] {
            fate.note(1, result.as_ref().copied().map_err(|error| error as &dyn Display));
        }
        for reason in ["", "too old", "too new"] {
            fate.rejected(0, reason);
        }
        assert!(fate.dropped());
        assert!(!fate.dropped());
    });
    let expected = [
        "spans cannot be exported",
        "spans are exported again",
        "spans cannot be exported",
        "the collector refuses spans",
    ];
    assert_eq!(*lines.0.lock().unwrap(), expected);
}

#[test]
fn a_subscriber_that_panics_changes_no_count() {
    let (fate, counts) = fate();
    with_default(registry().with(Panics), || {
        fate.note(1, Err(&"down"));
        fate.note(2, Ok(()));
        fate.rejected(3, "too old");
        fate.dropped();
        fate.tell_dropped();
    });
    assert_eq!(counts.report(), Report { ended: 0, exported: 2, failed: 4, dropped: 1 });
}
