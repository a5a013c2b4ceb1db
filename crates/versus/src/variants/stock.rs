//! What the peers stand on, as their manuals set it up: the SDK's batch processor, opentelemetry-otlp, and
//! tracing-opentelemetry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanProcessor,
};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::Error;
use crate::run::{Attributes, Run};

/// The specification's default of `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
const BATCH: usize = 512;

/// The pipeline of every peer.
pub(crate) struct Stock {
    provider: SdkTracerProvider,
    ended: Arc<AtomicU64>,
    // The exporter's connection lives here, so that a busy runtime of the calls does not hold it up.
    _runtime: Runtime,
}

/// Counts what ends sampled, and fills spans of calls up.
#[derive(Debug)]
struct Tally {
    inner: BatchSpanProcessor,
    attributes: Attributes,
    ended: Arc<AtomicU64>,
}

// === impl Stock ===

impl Stock {
    /// Sets the process up: provider, propagator and subscriber.
    pub(crate) fn install(run: &Run) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let inner = processor(&run.otlp, run.queue, BATCH, &runtime)?;
        let ended = Arc::<AtomicU64>::default();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_sampler(run.sampling.sampler())
            .with_span_processor(Tally { inner, attributes: run.attributes, ended: Arc::clone(&ended) })
            .build();
        global::set_text_map_propagator(TraceContextPropagator::new());

        let by_default = run.attributes == Attributes::Own;
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("versus"))
            .with_location(by_default)
            .with_threads(by_default)
            .with_target(by_default)
            .with_tracked_inactivity(by_default);
        tracing_subscriber::registry().with(recorded()).with(layer).try_init()?;
        Ok(Self { provider, ended, _runtime: runtime })
    }

    /// Exports what has ended, and says how many sampled spans that was so far.
    pub(crate) async fn flush(&self) -> u64 {
        let provider = self.provider.clone();
        // What is not sent shows at the sink.
        let _ = tokio::task::spawn_blocking(move || provider.force_flush()).await;
        self.ended.load(Ordering::Relaxed)
    }
}

/// The batch processor before the exporter, whose connection lives on `runtime`.
pub(crate) fn processor(
    otlp: &str,
    queue: usize,
    batch: usize,
    runtime: &Runtime,
) -> Result<BatchSpanProcessor, Error> {
    let _guard = runtime.enter();
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(otlp).build()?;
    let batches = BatchConfigBuilder::default().with_max_queue_size(queue).with_max_export_batch_size(batch).build();
    Ok(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
}

pub(crate) fn resource() -> Resource {
    Resource::builder().with_service_name("versus").build()
}

/// What is recorded: INFO and above, and tonic-tracing-opentelemetry's spans, which are of TRACE.
fn recorded() -> Targets {
    Targets::new().with_default(LevelFilter::INFO).with_target("otel::tracing", LevelFilter::TRACE)
}

// === impl Tally ===

impl SpanProcessor for Tally {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.inner.on_start(span, cx);
    }

    fn on_end(&self, mut span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
        if matches!(span.span_kind, SpanKind::Client | SpanKind::Server) {
            let filling = self.attributes.filling(span.attributes.len());
            span.attributes.extend(filling.iter().map(|key| KeyValue::new(*key, "filled up")));
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
