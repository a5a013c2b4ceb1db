//! How long operations take and how many messages there are, by instruments that are bound once for each operation that
//! has succeeded.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, BoundHistogram, Counter, Histogram, Meter};

use super::destination::Operation;
use crate::clock::BUCKETS;
use crate::semconv;

/// Measures what is done with messages; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct MessageMeter {
    operations: Histogram<f64>,
    processing: Histogram<f64>,
    sent: Counter<u64>,
    consumed: Counter<u64>,
}

/// What one operation with the messages of a destination is told by.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) operation: Operation,
    /// `send order.events`.
    pub(super) span_name: String,
    /// Those of its spans and its durations, all but `error.type`.
    pub(super) attributes: Vec<KeyValue>,
    duration: OnceLock<BoundHistogram<f64>>,
    messages: OnceLock<BoundCounter<u64>>,
}

// === impl MessageMeter ===

impl MessageMeter {
    pub(super) fn new(meter: &Meter) -> Self {
        let seconds = |name, description| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
            histogram.with_boundaries(BUCKETS.to_vec()).build()
        };
        let messages =
            |name, description| meter.u64_counter(name).with_unit("{message}").with_description(description).build();
        Self {
            operations: seconds(
                semconv::MESSAGING_CLIENT_OPERATION_DURATION,
                "Duration of messaging operation initiated by a producer or consumer client.",
            ),
            processing: seconds(semconv::MESSAGING_PROCESS_DURATION, "Duration of processing operation."),
            sent: messages(
                semconv::MESSAGING_CLIENT_SENT_MESSAGES,
                "Number of messages producer attempted to send to the broker.",
            ),
            consumed: messages(
                semconv::MESSAGING_CLIENT_CONSUMED_MESSAGES,
                "Number of messages that were delivered to the application.",
            ),
        }
    }

    /// Records an operation that has ended, with its `error.type` if it failed.
    pub(super) fn record(&self, series: &Series, elapsed: Duration, messages: u64, error: Option<KeyValue>) {
        let is_process = series.operation == Operation::Process;
        series.record(if is_process { &self.processing } else { &self.operations }, elapsed, error.clone());
        match series.operation {
            Operation::Send => series.count(&self.sent, messages, error),
            Operation::Receive | Operation::Process if messages > 0 => series.count(&self.consumed, messages, error),
            _ => {}
        }
    }
}

// === impl Series ===

/// Everything is recorded before it is bound: a bound series is exported even if nothing was recorded yet.
impl Series {
    pub(super) fn new(operation: Operation, span_name: String, attributes: Vec<KeyValue>) -> Self {
        Self { operation, span_name, attributes, duration: OnceLock::new(), messages: OnceLock::new() }
    }

    fn record(&self, histogram: &Histogram<f64>, elapsed: Duration, error: Option<KeyValue>) {
        let elapsed = elapsed.as_secs_f64();
        if error.is_some() {
            let attributes: Vec<_> = self.attributes.iter().cloned().chain(error).collect();
            histogram.record(elapsed, &attributes);
        } else if let Some(duration) = self.duration.get() {
            duration.record(elapsed);
        } else {
            histogram.record(elapsed, &self.attributes);
            let _ = self.duration.set(histogram.bind(&self.attributes));
        }
    }

    fn count(&self, counter: &Counter<u64>, messages: u64, error: Option<KeyValue>) {
        if let Some(bound) = self.messages.get().filter(|_| error.is_none()) {
            return bound.add(messages);
        }
        let has_failed = error.is_some();
        // The counters know no type of operation.
        let is_counted = |attribute: &&KeyValue| attribute.key.as_str() != semconv::MESSAGING_OPERATION_TYPE;
        let attributes: Vec<_> = self.attributes.iter().filter(is_counted).cloned().chain(error).collect();
        counter.add(messages, &attributes);
        if !has_failed {
            let _ = self.messages.set(counter.bind(&attributes));
        }
    }
}
