//! The export side: from ended spans, log records and metrics to a collector, a console, or nowhere.
//!
//! ```text
//! spans, logs ──> queue ──┐
//!                         ├─> delivery ──> collector
//! metrics ────────────────┘       └──> spool ──> replay ──> collector
//! ```
//!
//! All of it runs on a small runtime of its own, so that neither a busy nor a finished application runtime holds up what
//! is exported. Each signal has a way out of its own; they share one end.

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::environment::Environment;
use crate::init::InitError;
use crate::lock::lock;
use crate::sampling::Sampler;

mod signal;
mod exporter;
mod lane;
mod spans;
mod logs;
mod metrics;
mod encode;
mod buffers;
mod queue;
mod delivery;
mod closing;
mod otlp;
mod sender;
mod spool;
mod replay;
mod fate;
mod health;
mod report;
mod status;
mod prometheus;
mod warnings;
#[cfg(test)]
mod certificates;

pub use report::{Account, Dropped, Lost, Replayed, Report};
pub use status::{ExportState, ExportStatus, Exported, SpoolStatus};

use closing::Closing;
use lane::{Lane, Setup};
use spool::Spools;

/// How long dropping a pipeline that was never shut down may take.
const DROP_LIMIT: Duration = Duration::from_secs(3);

/// How long before its limit a shutdown gives up what is on its way, at most: time to spool and to count it.
const LONGEST_MARGIN: Duration = Duration::from_millis(200);

/// Longer than any process lives.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Providers, and what they export through.
#[derive(Debug)]
pub(crate) struct Pipeline {
    providers: Providers,
    sampler: Sampler,
    lanes: Lanes,
    closing: Closing,
    /// The end of the one shutdown, once it has begun.
    stopped: Mutex<Option<Shared<BoxFuture<'static, ()>>>>,
    runtime: Option<Runtime>,
}

/// What makes spans, log records and metrics. Clones are the same providers.
#[derive(Clone, Debug)]
struct Providers {
    spans: SdkTracerProvider,
    logs: Option<SdkLoggerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// The ways out.
#[derive(Clone, Debug)]
struct Lanes {
    spans: Lane,
    logs: Lane,
    metrics: Lane,
}

// === impl Pipeline ===

impl Pipeline {
    /// The pipeline that the environment asks for, of the service called `name`.
    pub(crate) fn new(
        environment: &Environment,
        name: &str,
        resource: Resource,
        sampler: Sampler,
    ) -> Result<Self, InitError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry-export")
            .enable_all()
            .build()
            .map_err(InitError::Runtime)?;
        let closing = Closing::new();
        let spools = Spools::open(environment, name);
        let setup = Setup { environment, resource, runtime: runtime.handle(), closing: closing.clone(), spools };
        let (providers, lanes) = providers(&setup, &sampler);
        Ok(Self { providers, sampler, lanes, closing, stopped: Mutex::default(), runtime: Some(runtime) })
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
        let is_measured = exporter::exporter(environment, signal::Signal::Metrics) != exporter::Exporter::None;
        let metrics =
            is_measured.then(|| SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build());
        let providers = Providers { spans, logs: None, metrics };
        let (closing, stopped) = (Closing::new(), Mutex::default());
        Self { providers, sampler, lanes: Lanes::OFF, closing, stopped, runtime: None }
    }

    /// Warns, once somebody listens: whoever brings a subscriber of their own needs the telemetry first. Where there is
    /// none, stderr is told.
    pub(crate) fn tell(&self, warnings: Vec<String>) {
        if let Some(runtime) = self.runtime.as_ref().filter(|_| !warnings.is_empty()) {
            runtime.spawn(warnings::tell(warnings));
        }
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

    pub(crate) fn report(&self) -> Report {
        let Lanes { spans, logs, metrics } = &self.lanes;
        Report { spans: spans.account(), logs: logs.account(), metric_points: metrics.account() }
    }

    pub(crate) fn status(&self) -> ExportStatus {
        let Lanes { spans, logs, metrics } = &self.lanes;
        ExportStatus { spans: spans.status(), logs: logs.status(), metric_points: metrics.status() }
    }

    /// The same for a program that watches.
    pub(crate) fn prometheus(&self) -> String {
        let Lanes { spans, logs, metrics } = &self.lanes;
        prometheus::text(&[
            (signal::Signal::Traces, spans),
            (signal::Signal::Logs, logs),
            (signal::Signal::Metrics, metrics),
        ])
    }

    pub(crate) async fn flush(&self, limit: Duration) -> Report {
        if let Some(runtime) = &self.runtime {
            let flushed = flush(self.providers.clone(), self.lanes.clone(), runtime.handle().clone());
            let _ = within(runtime, limit, flushed).await;
        }
        self.report()
    }

    pub(crate) async fn shutdown(&self, limit: Duration) -> Report {
        if let Some(runtime) = &self.runtime {
            let stopped = self.stop(runtime, limit);
            let _ = within(runtime, limit.max(LONGEST_MARGIN), stopped).await;
        }
        self.report()
    }

    /// Begins the shutdown, unless it has begun; the returned ends with it.
    fn stop(&self, runtime: &Runtime, limit: Duration) -> Shared<BoxFuture<'static, ()>> {
        let mut stopped = lock(&self.stopped);
        let begin = || {
            let margin = (limit / 5).min(LONGEST_MARGIN);
            self.closing.begin(after(limit.saturating_sub(margin)));
            let ending = runtime.spawn(stop(self.providers.clone(), self.lanes.clone(), runtime.handle().clone()));
            ending.map(drop).boxed().shared()
        };
        stopped.get_or_insert_with(begin).clone()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let stopped = self.stop(&runtime, DROP_LIMIT);
        // What was not done by then is lost, and there is nobody left to tell.
        wait_for(runtime.handle(), stopped, DROP_LIMIT);
        // Dropping a runtime inside another one panics.
        runtime.shutdown_background();
    }
}

/// Does `work` on `runtime`, for at most `limit`. The timer is made there as well: the caller's runtime may have none, or
/// the caller no runtime.
fn within(runtime: &Runtime, limit: Duration, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    runtime.spawn(async move { _ = timeout(limit, work).await })
}

/// The moment so much later, or one that no process lives to see.
fn after(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit).unwrap_or(now + NEVER)
}

/// Waits on this thread, for at most `limit`, until `work` on `runtime` is done. Says whether it is.
fn wait_for(runtime: &Handle, work: impl Future<Output = ()> + Send + 'static, limit: Duration) -> bool {
    let (done, is_done) = sync_channel(1);
    runtime.spawn(async move {
        work.await;
        // Nobody may be waiting any more.
        let _ = done.try_send(());
    });
    is_done.recv_timeout(limit).is_ok()
}

/// Side by side, so that the collector of one signal cannot use up the time of another.
async fn flush(providers: Providers, lanes: Lanes, runtime: Handle) {
    // Blocks as long as one export may take.
    let metrics = runtime.spawn_blocking(move || providers.metrics.map(|metrics| metrics.force_flush()));
    // A reader that panics has nothing more to tell.
    let _ = tokio::join!(lanes.spans.flush(false), lanes.logs.flush(false), metrics);
}

/// The same, and the end of all three. The provider of spans is left alone: it would hide those that end too late.
async fn stop(providers: Providers, lanes: Lanes, runtime: Handle) {
    let metrics = runtime.spawn_blocking(move || providers.metrics.map(|metrics| metrics.shutdown()));
    let _ = tokio::join!(lanes.spans.flush(true), lanes.logs.flush(true), metrics);
}

fn providers(setup: &Setup<'_>, sampler: &Sampler) -> (Providers, Lanes) {
    let (spans, spans_lane) = spans::provider(setup, sampler);
    let (logs, logs_lane) = logs::provider(setup);
    let (metrics, metrics_lane) = metrics::provider(setup);
    let lanes = Lanes { spans: spans_lane, logs: logs_lane, metrics: metrics_lane };
    (Providers { spans, logs, metrics }, lanes)
}

// === impl Lanes ===

#[cfg(feature = "testing")]
impl Lanes {
    const OFF: Self = Self { spans: Lane::OFF, logs: Lane::OFF, metrics: Lane::OFF };
}
