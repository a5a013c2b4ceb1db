//! The export side: from ended spans and log records to a collector, a console, or nowhere.
//!
//! Exporters run on a small runtime of their own, so that neither a busy nor a finished application runtime holds up
//! what is exported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogBatch, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatch, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanExporter, SpanProcessor,
};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::console::ConsoleExporter;
use crate::environment::Environment;
use crate::init::InitError;
use crate::pipeline::counted::{Counted, Counts, Gate};
use crate::pipeline::otlp::Otlp;

mod counted;
mod otlp;

pub use counted::Report;

/// How long dropping a pipeline that was never shut down may take.
const DROP_LIMIT: Duration = Duration::from_secs(3);

/// What a signal's `OTEL_*_EXPORTER` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exporter {
    Otlp,
    Console,
    None,
}

/// Providers, and what they export through.
#[derive(Debug)]
pub(crate) struct Pipeline {
    spans: SdkTracerProvider,
    logs: Option<SdkLoggerProvider>,
    counts: Arc<Counts>,
    runtime: Option<Runtime>,
    is_open: Arc<AtomicBool>,
}

// === impl Pipeline ===

impl Pipeline {
    /// The pipeline that the environment asks for.
    pub(crate) fn new(environment: &Environment, resource: Resource) -> Result<Self, InitError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry-export")
            .enable_all()
            .build()
            .map_err(InitError::Runtime)?;
        let counts = Arc::new(Counts::default());
        let disabled = environment.is_true("OTEL_SDK_DISABLED");
        let providers = spans(environment, disabled, resource.clone(), &counts, runtime.handle()).and_then(|spans| {
            let logs = if disabled { None } else { logs(environment, resource, runtime.handle())? };
            Ok((spans, logs))
        });
        let (spans, logs) = match providers {
            Ok(providers) => providers,
            Err(error) => {
                // Dropping a runtime inside another one panics.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        Ok(Self { spans, logs, counts, runtime: Some(runtime), is_open: Arc::new(AtomicBool::new(true)) })
    }

    /// A pipeline that hands ended spans to `processor` and exports nothing.
    #[cfg(feature = "testing")]
    pub(crate) fn collecting(
        environment: &Environment,
        resource: Resource,
        processor: impl SpanProcessor + 'static,
    ) -> Self {
        let spans = SdkTracerProvider::builder()
            .with_sampler(environment.sampler())
            .with_resource(resource)
            .with_span_processor(processor)
            .build();
        Self { spans, logs: None, counts: Arc::default(), runtime: None, is_open: Arc::default() }
    }

    pub(crate) fn spans(&self) -> &SdkTracerProvider {
        &self.spans
    }

    pub(crate) fn logs(&self) -> Option<&SdkLoggerProvider> {
        self.logs.as_ref()
    }

    /// Whether records are still taken: false once a shutdown has begun.
    pub(crate) fn is_open(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_open)
    }

    pub(crate) async fn flush(&self, limit: Duration) -> Report {
        let (spans, logs) = (self.spans.clone(), self.logs.clone());
        // What could not be sent shows in the report.
        let flush_logs = move || drop(logs.map(|logs| logs.force_flush()));
        self.within(limit, flush_logs, move || drop(spans.force_flush())).await;
        self.counts.report()
    }

    pub(crate) async fn shutdown(&self, limit: Duration) -> Report {
        self.is_open.store(false, Ordering::Relaxed);
        let (spans, logs) = (self.spans.clone(), self.logs.clone());
        let stop_logs = move || drop(logs.map(|logs| logs.shutdown_with_timeout(limit)));
        self.within(limit, stop_logs, move || drop(spans.shutdown_with_timeout(limit))).await;
        self.counts.report()
    }

    /// Does blocking work on a thread of its own and waits for it on the pipeline's runtime: neither needs anything of
    /// the caller's runtime, which may have one thread and no timer.
    ///
    /// Side by side, so that the collector of one signal cannot use up the time of the other.
    async fn within(
        &self,
        limit: Duration,
        logs: impl FnOnce() + Send + 'static,
        spans: impl FnOnce() + Send + 'static,
    ) {
        let Some(runtime) = &self.runtime else {
            logs();
            return spans();
        };
        let (logs, spans) = (runtime.handle().spawn_blocking(logs), runtime.handle().spawn_blocking(spans));
        let limited = runtime
            .handle()
            .spawn(async move { tokio::time::timeout(limit, async { (spans.await, logs.await) }).await });
        // An error means that the limit or the runtime's end came first; the counts say what that cost.
        let _ = limited.await;
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let (spans, logs) = (self.spans.clone(), self.logs.clone());
            // A provider that was shut down before answers at once.
            let logs = logs.map(|logs| std::thread::spawn(move || logs.shutdown_with_timeout(DROP_LIMIT)));
            let _ = spans.shutdown_with_timeout(DROP_LIMIT);
            let _ = logs.map(std::thread::JoinHandle::join);
            // Dropping a runtime inside another one panics.
            runtime.shutdown_background();
        }
    }
}

fn spans(
    environment: &Environment,
    disabled: bool,
    resource: Resource,
    counts: &Arc<Counts>,
    runtime: &Handle,
) -> Result<SdkTracerProvider, InitError> {
    let limit = |name| u32::try_from(environment.number(name, 0, 128)).unwrap_or(u32::MAX);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_max_attributes_per_span(limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"))
        .with_max_events_per_span(limit("OTEL_SPAN_EVENT_COUNT_LIMIT"))
        .with_max_links_per_span(limit("OTEL_SPAN_LINK_COUNT_LIMIT"))
        .with_max_attributes_per_event(limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"))
        .with_max_attributes_per_link(limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"));
    if disabled {
        return Ok(provider
            // The caller's decision is passed on: those behind this service may still record.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)))
            .build());
    }
    let provider = provider.with_sampler(environment.sampler());
    Ok(match exporter(environment, "OTEL_TRACES_EXPORTER") {
        Exporter::None => provider,
        Exporter::Console => provider.with_span_processor(batched(environment, ConsoleExporter::stdout(), counts)),
        Exporter::Otlp => {
            let exporter = Otlp::new(environment, "TRACES")?.spans(runtime)?;
            provider.with_span_processor(batched(environment, exporter, counts))
        }
    }
    .build())
}

fn batched(
    environment: &Environment,
    exporter: impl SpanExporter + 'static,
    counts: &Arc<Counts>,
) -> impl SpanProcessor + 'static {
    let queue = environment.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 2048);
    let batch = environment.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, 512);
    let config = SpanBatch::default()
        .with_max_queue_size(usize::try_from(queue).unwrap_or(usize::MAX))
        .with_max_export_batch_size(usize::try_from(batch.min(queue)).unwrap_or(usize::MAX))
        .with_scheduled_delay(environment.milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5000))
        .build();
    let exporter = Counted::new(exporter, Arc::clone(counts), "spans");
    Gate::new(BatchSpanProcessor::builder(exporter).with_batch_config(config).build(), Arc::clone(counts))
}

fn logs(
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
    let config = LogBatch::default()
        .with_max_queue_size(usize::try_from(queue).unwrap_or(usize::MAX))
        .with_max_export_batch_size(usize::try_from(batch.min(queue)).unwrap_or(usize::MAX))
        .with_scheduled_delay(environment.milliseconds("OTEL_BLRP_SCHEDULE_DELAY", 1000))
        .build();
    let exporter = Counted::new(Otlp::new(environment, "LOGS")?.logs(runtime)?, Arc::default(), "log records");
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(config).build();
    Ok(Some(SdkLoggerProvider::builder().with_resource(resource).with_log_processor(processor).build()))
}

fn exporter(environment: &Environment, name: &str) -> Exporter {
    match environment.get(name).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "otlp" => Exporter::Otlp,
        "console" => Exporter::Console,
        "none" => Exporter::None,
        _ => {
            environment.warn(name, "is none of `otlp`, `console` and `none`, taken as `otlp`");
            Exporter::Otlp
        }
    }
}
