//! How long operations take and how many messages there are.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

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

    /// Records an operation that has ended. `attributes` are those that its series have in common, and `error.type`.
    pub(super) fn record(&self, operation: Operation, elapsed: Duration, messages: u64, attributes: &[KeyValue]) {
        let duration = if operation == Operation::Process { &self.processing } else { &self.operations };
        duration.record(elapsed.as_secs_f64(), attributes);
        // The counters know no type of operation.
        let is_counted = |attribute: &&KeyValue| attribute.key.as_str() != semconv::MESSAGING_OPERATION_TYPE;
        let counted: Vec<_> = attributes.iter().filter(is_counted).cloned().collect();
        match operation {
            Operation::Send => self.sent.add(messages, &counted),
            Operation::Receive | Operation::Process if messages > 0 => self.consumed.add(messages, &counted),
            _ => {}
        }
    }
}
