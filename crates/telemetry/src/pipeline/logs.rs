use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};

use super::encode;
use super::lane::{Lane, Setup};
use super::queue::Queue;
use super::signal::Signal;
use crate::limits::LogLimits;

/// How they are batched.
const BATCHES: [&str; 3] = ["OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"];

/// Queues log records.
#[derive(Debug)]
struct LogQueue {
    queue: Queue,
    limits: LogLimits,
}

/// The provider that the environment asks for, if any, and the way that its records take.
pub(super) fn provider(setup: &Setup<'_>) -> (Option<SdkLoggerProvider>, Lane) {
    let (exporter, delivery) = setup.delivery(Signal::Logs, "OTEL_BLRP_EXPORT_TIMEOUT");
    let Some(delivery) = delivery else { return (None, Lane::OFF) };
    let queue = setup.queue(exporter, setup.batches(BATCHES, exporter, 1000), &delivery);
    let processor = LogQueue { queue: queue.clone(), limits: LogLimits::of(setup.environment) };
    let provider =
        SdkLoggerProvider::builder().with_resource(setup.resource.clone()).with_log_processor(processor).build();
    (Some(provider), Lane { delivery: Some(delivery), queue: Some(queue) })
}

// === impl LogProcessor for LogQueue ===

impl LogProcessor for LogQueue {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        let scope = named(scope, record);
        let mut record = LogRecord::from(&*record);
        self.limits.apply(&mut record);
        self.queue.add(&scope, |out| encode::log_record(&record, out));
    }

    /// [`Pipeline`](super::Pipeline) flushes, without holding up a thread; nobody else has the provider.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

/// The scope by the name of the record's target, as far as it has one: that is where it was logged.
fn named(scope: &InstrumentationScope, record: &SdkLogRecord) -> InstrumentationScope {
    let Some(target) = record.target() else { return scope.clone() };
    let mut named = InstrumentationScope::builder(target.clone()).with_attributes(scope.attributes().cloned());
    if let Some(version) = scope.version() {
        named = named.with_version(version.to_owned());
    }
    if let Some(schema_url) = scope.schema_url() {
        named = named.with_schema_url(schema_url.to_owned());
    }
    named.build()
}
