//! The export side: from ended spans, log records and metrics to a collector, a console, or nowhere.
//!
//! Exporters run on a small runtime of their own, so that neither a busy nor a finished application runtime holds up
//! what is exported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::environment::Environment;
use crate::init::InitError;
use crate::pipeline::counted::Counts;
use crate::sampling::Sampler;

mod buffers;
mod counted;
mod direct;
mod encode;
mod exporter;
mod logs;
mod metrics;
mod otlp;
mod sender;
mod spans;

pub use counted::Report;

/// How long dropping a pipeline that was never shut down may take.
const DROP_LIMIT: Duration = Duration::from_secs(3);

/// Providers, and what they export through.
#[derive(Debug)]
pub(crate) struct Pipeline {
    providers: Providers,
    sampler: Sampler,
    counts: Arc<Counts>,
    runtime: Option<Runtime>,
    is_open: Arc<AtomicBool>,
}

/// What makes spans, log records and metrics. Clones are the same providers.
#[derive(Clone, Debug)]
struct Providers {
    spans: SdkTracerProvider,
    logs: Option<SdkLoggerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// Blocking work.
type Work = Box<dyn FnOnce() + Send>;

// === impl Pipeline ===

impl Pipeline {
    /// The pipeline that the environment asks for.
    pub(crate) fn new(environment: &Environment, resource: Resource, sampler: Sampler) -> Result<Self, InitError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry-export")
            .enable_all()
            .build()
            .map_err(InitError::Runtime)?;
        let counts = Arc::new(Counts::default());
        let providers = match Providers::new(environment, resource, &sampler, &counts, runtime.handle()) {
            Ok(providers) => providers,
            Err(error) => {
                // Dropping a runtime inside another one panics.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        Ok(Self { providers, sampler, counts, runtime: Some(runtime), is_open: Arc::new(AtomicBool::new(true)) })
    }

    /// A pipeline that hands ended spans to `processor`, metrics to whoever asks `reader`, and exports nothing.
    #[cfg(feature = "testing")]
    pub(crate) fn collecting(
        environment: &Environment,
        resource: Resource,
        sampler: Sampler,
        processor: impl opentelemetry_sdk::trace::SpanProcessor + 'static,
        reader: impl opentelemetry_sdk::metrics::reader::MetricReader,
    ) -> Self {
        let spans = spans::builder(environment, resource.clone(), &sampler);
        let spans = spans.with_span_processor(sampler.keeping(processor)).build();
        let is_measured = exporter::exporter(environment, "OTEL_METRICS_EXPORTER") != exporter::Exporter::None;
        let metrics =
            is_measured.then(|| SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build());
        let providers = Providers { spans, logs: None, metrics };
        Self { providers, sampler, counts: Arc::default(), runtime: None, is_open: Arc::default() }
    }

    pub(crate) fn spans(&self) -> &SdkTracerProvider {
        &self.providers.spans
    }

    pub(crate) fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    pub(crate) fn logs(&self) -> Option<&SdkLoggerProvider> {
        self.providers.logs.as_ref()
    }

    pub(crate) fn metrics(&self) -> Option<&SdkMeterProvider> {
        self.providers.metrics.as_ref()
    }

    /// Whether records are still taken: false once a shutdown has begun.
    pub(crate) fn is_open(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_open)
    }

    pub(crate) async fn flush(&self, limit: Duration) -> Report {
        self.within(limit, self.providers.clone().flushing()).await;
        self.counts.report()
    }

    pub(crate) async fn shutdown(&self, limit: Duration) -> Report {
        self.is_open.store(false, Ordering::Relaxed);
        self.within(limit, self.providers.clone().stopping(limit)).await;
        self.counts.report()
    }

    /// Does blocking work on threads of its own and waits for it on the pipeline's runtime: neither needs anything of
    /// the caller's runtime, which may have one thread and no timer.
    ///
    /// Side by side, so that the collector of one signal cannot use up the time of another.
    async fn within(&self, limit: Duration, work: Vec<Work>) {
        let Some(runtime) = &self.runtime else { return work.into_iter().for_each(|work| work()) };
        let work: Vec<_> = work.into_iter().map(|work| runtime.handle().spawn_blocking(work)).collect();
        let all = async {
            for done in work {
                // What could not be sent shows in the counts.
                let _ = done.await;
            }
        };
        let limited = runtime.handle().spawn(async move { tokio::time::timeout(limit, all).await });
        // An error means that the limit or the runtime's end came first; the counts say what that cost.
        let _ = limited.await;
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // A provider that was shut down before answers at once.
        let work = self.providers.clone().stopping(DROP_LIMIT);
        let (done, all_done) = sync_channel(work.len());
        let expected = work.len();
        for work in work {
            let done = done.clone();
            std::thread::spawn(move || {
                work();
                // Nobody may be waiting any more.
                let _ = done.send(());
            });
        }
        let until = Instant::now() + DROP_LIMIT;
        for _ in 0..expected {
            if all_done.recv_timeout(until.saturating_duration_since(Instant::now())).is_err() {
                break;
            }
        }
        // Dropping a runtime inside another one panics.
        runtime.shutdown_background();
    }
}

// === impl Providers ===

impl Providers {
    fn new(
        environment: &Environment,
        resource: Resource,
        sampler: &Sampler,
        counts: &Arc<Counts>,
        runtime: &Handle,
    ) -> Result<Self, InitError> {
        let disabled = environment.is_true("OTEL_SDK_DISABLED");
        let spans = spans::provider(environment, disabled, resource.clone(), sampler, counts, runtime)?;
        if disabled {
            return Ok(Self { spans, logs: None, metrics: None });
        }
        let logs = logs::provider(environment, resource.clone(), runtime)?;
        let metrics = metrics::provider(environment, resource, runtime)?;
        Ok(Self { spans, logs, metrics })
    }

    fn flushing(self) -> Vec<Work> {
        let Self { spans, logs, metrics } = self;
        let spans: Work = Box::new(move || drop(spans.force_flush()));
        let logs = logs.map(|logs| -> Work { Box::new(move || drop(logs.force_flush())) });
        let metrics = metrics.map(|metrics| -> Work { Box::new(move || drop(metrics.force_flush())) });
        [Some(spans), logs, metrics].into_iter().flatten().collect()
    }

    fn stopping(self, limit: Duration) -> Vec<Work> {
        let Self { spans, logs, metrics } = self;
        let spans: Work = Box::new(move || drop(spans.shutdown_with_timeout(limit)));
        let logs = logs.map(|logs| -> Work { Box::new(move || drop(logs.shutdown_with_timeout(limit))) });
        let metrics = metrics.map(|metrics| -> Work { Box::new(move || drop(metrics.shutdown_with_timeout(limit))) });
        [Some(spans), logs, metrics].into_iter().flatten().collect()
    }
}
