//! How exporting goes, in Prometheus's text format, under the names of the conventions for an SDK's own metrics
//! (semantic conventions 1.45, `docs/otel/sdk-metrics.md`). What they have no name for begins with `telemetry_`.

use std::fmt::{Display, Write};

use super::delivery::{Delivery, Way};
use super::fate::Operations;
use super::lane::Lane;
use super::report::Account;
use super::signal::Signal;
use super::status::{ExportState, Exported};
use crate::clock::BUCKETS;

/// Labels in the order in which they are written.
type Labels = Vec<(&'static str, String)>;

/// One signal that is exported.
struct Source<'l> {
    signal: Signal,
    delivery: &'l Delivery,
    /// `None` without a queue.
    waiting: Option<u64>,
    status: Exported,
    operations: Operations,
}

/// A metric with its samples.
struct Family {
    name: String,
    kind: &'static str,
    help: &'static str,
    samples: Vec<(&'static str, Labels, String)>,
}

/// The metrics of those signals that are exported.
pub(super) fn text(lanes: &[(Signal, &Lane)]) -> String {
    let sources: Vec<_> = lanes.iter().filter_map(|(signal, lane)| Source::of(*signal, lane)).collect();
    let by_signal = sources.iter().flat_map(|source| source.queue().into_iter().chain(source.exporter()));
    by_signal.chain(common(&sources)).map(|family| family.text()).collect()
}

// === impl Source ===

impl<'l> Source<'l> {
    fn of(signal: Signal, lane: &'l Lane) -> Option<Self> {
        let delivery = lane.delivery.as_deref()?;
        let waiting = lane.queue.as_ref().map(|queue| queue.buffers().waiting() as u64);
        Some(Self { signal, delivery, waiting, status: lane.status(), operations: delivery.fate().operations() })
    }

    /// What the processor before the exporter counts; metrics have none.
    fn queue(&self) -> Vec<Family> {
        let (Some(waiting), Some(capacity)) = (self.waiting, self.status.queue_capacity) else { return Vec::new() };
        let component = component(format!("batching_{}_processor", self.signal.component()));
        let name = |what: &str| format!("otel_sdk_processor_{}_{what}", self.signal.component());
        let Account { ended, dropped, .. } = self.status.account;
        let handed_on = ended.saturating_sub(waiting + dropped.queue_full + dropped.already_shutdown);
        let mut processed =
            Family::new(name("processed_total"), "counter", "items that left the queue, or never got in");
        processed.add(component.clone(), handed_on);
        for (reason, items) in [("queue_full", dropped.queue_full), ("already_shutdown", dropped.already_shutdown)] {
            processed.add(with(&component, "error_type", reason), items);
        }
        vec![
            Family::one(name("queue_size"), "items that wait", &component, waiting),
            Family::one(name("queue_capacity"), "items that may wait", &component, capacity as u64),
            processed,
        ]
    }

    fn exporter(&self) -> Vec<Family> {
        let component = self.exporter_component();
        let name = |what: &str| format!("otel_sdk_exporter_{}_{what}", self.signal.metric());
        let account = self.status.account;
        let in_flight = account.queued.saturating_sub(self.waiting.unwrap_or_default());
        let mut exported = Family::new(name("exported_total"), "counter", "items by how their export ended");
        exported.add(component.clone(), account.exported + account.replayed.exported);
        let rejected = account.rejected + account.replayed.rejected;
        exported.add(with(&component, "error_type", "rejected"), rejected);
        for (error, operation) in &self.operations {
            if let Some(error) = error {
                exported.add(with(&component, "error_type", error), operation.items);
            }
        }
        vec![Family::one(name("inflight"), "items on their way", &component, in_flight), exported]
    }

    fn exporter_component(&self) -> Labels {
        match self.delivery.way() {
            Way::Stdout => component(format!("console_{}_exporter", self.signal.component())),
            Way::Collector(sender) => {
                let component = component(sender.component_type());
                with(&with(&component, "server_address", sender.address()), "server_port", sender.port())
            }
        }
    }
}

/// What is the same of all signals, each with a label.
fn common(sources: &[Source<'_>]) -> Vec<Family> {
    let mut took = Family::new("otel_sdk_exporter_operation_duration_seconds", "histogram", "how long exports took");
    let mut failing = Family::new("telemetry_export_failing", "gauge", "1 while the collector takes nothing");
    let mut ended = Family::new("telemetry_ended_total", "counter", "items of which one must know what became");
    let mut lost = Family::new("telemetry_lost_total", "counter", "items that nobody has, by reason");
    let mut spooled = Family::new("telemetry_spool_items", "gauge", "items that wait on disk");
    let mut bytes = Family::new("telemetry_spool_bytes", "gauge", "what they take on disk");
    let mut most = Family::new("telemetry_spool_max_bytes", "gauge", "what they may take on disk");
    let mut corrupt = Family::new("telemetry_spool_corrupt_records_total", "counter", "records that cannot be read");
    for source in sources {
        let signal = vec![("signal", source.signal.metric().to_owned())];
        let Exported { state, account, spool, .. } = &source.status;
        source.operations.iter().for_each(|operation| histogram(&mut took, source, operation));
        failing.add(signal.clone(), u64::from(*state == ExportState::Failing));
        ended.add(signal.clone(), account.ended);
        let rejected = ("rejected", account.rejected);
        for (reason, items) in account.dropped.by_reason().into_iter().chain([rejected]) {
            lost.add(with(&signal, "reason", reason), items);
        }
        if let Some(spool) = spool {
            spooled.add(signal.clone(), account.spooled + account.replayed.waiting);
            bytes.add(signal.clone(), spool.bytes);
            most.add(signal.clone(), spool.max_bytes);
            corrupt.add(signal, spool.corrupt_records);
        }
    }
    let families = [took, failing, ended, lost, spooled, bytes, most, corrupt];
    families.into_iter().filter(|family| !family.samples.is_empty()).collect()
}

fn histogram(family: &mut Family, source: &Source<'_>, (error, operation): (&Option<String>, &super::fate::Operation)) {
    let component = source.exporter_component();
    let labels = error.as_ref().map_or(component.clone(), |error| with(&component, "error_type", error));
    for (bound, count) in BUCKETS.iter().zip(operation.within) {
        family.samples.push(("_bucket", with(&labels, "le", bound), count.to_string()));
    }
    family.samples.push(("_bucket", with(&labels, "le", "+Inf"), operation.count.to_string()));
    family.samples.push(("_sum", labels.clone(), operation.seconds.to_string()));
    family.samples.push(("_count", labels, operation.count.to_string()));
}

/// There is one of each type in a process's telemetry.
fn component(component_type: impl Display) -> Labels {
    vec![("otel_component_type", component_type.to_string()), ("otel_component_name", format!("{component_type}/0"))]
}

fn with(labels: &Labels, name: &'static str, value: impl Display) -> Labels {
    labels.iter().cloned().chain([(name, value.to_string())]).collect()
}

// === impl Family ===

impl Family {
    fn new(name: impl Into<String>, kind: &'static str, help: &'static str) -> Self {
        Self { name: name.into(), kind, help, samples: Vec::new() }
    }

    /// A gauge of one series.
    fn one(name: String, help: &'static str, labels: &Labels, value: u64) -> Self {
        let mut family = Self::new(name, "gauge", help);
        family.add(labels.clone(), value);
        family
    }

    fn add(&mut self, labels: Labels, value: u64) {
        self.samples.push(("", labels, value.to_string()));
    }

    fn text(&self) -> String {
        let Self { name, kind, help, samples } = self;
        let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (suffix, labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            // Fails never: it is a string.
            let _ = writeln!(text, "{name}{suffix}{{{}}} {value}", labels.join(","));
        }
        text
    }
}

/// As the format wants a label's value (Prometheus, "Exposition formats").
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
