use std::sync::Arc;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchConfigBuilder, BatchLogProcessor, SdkLoggerProvider};
use tokio::runtime::Handle;

use crate::environment::Environment;
use crate::init::InitError;
use crate::pipeline::counted::Counted;
use crate::pipeline::exporter::{Exporter, exporter};
use crate::pipeline::otlp::Otlp;

/// The provider that the environment asks for, if any.
pub(super) fn provider(
    environment: &Environment,
    resource: Resource,
    runtime: &Handle,
) -> Result<Option<SdkLoggerProvider>, InitError> {
    // A console's log records stand on stderr already.
    if exporter(environment, "OTEL_LOGS_EXPORTER") != Exporter::Otlp {
        return Ok(None);
    }
    let queue = environment.number("OTEL_BLRP_MAX_QUEUE_SIZE", 1, 2048);
    let batch = environment.number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 1, 512);
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(usize::try_from(queue).unwrap_or(usize::MAX))
        .with_max_export_batch_size(usize::try_from(batch.min(queue)).unwrap_or(usize::MAX))
        .with_scheduled_delay(environment.milliseconds("OTEL_BLRP_SCHEDULE_DELAY", 1000))
        .build();
    let exporter = Counted::new(Otlp::new(environment, "LOGS")?.logs(runtime)?, Arc::default(), "log records");
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(config).build();
    Ok(Some(SdkLoggerProvider::builder().with_resource(resource).with_log_processor(processor).build()))
}
