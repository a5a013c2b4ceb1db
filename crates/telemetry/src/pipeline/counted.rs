use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use crate::limits::Limits;
use crate::points;

/// What became of the spans that ended: those of [`ended`](Self::ended) that are in neither of the other two are still
/// queued, or, after a shutdown, lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Sampled spans that have ended.
    pub ended: u64,
    /// Spans that an exporter has taken.
    pub exported: u64,
    /// Spans that an exporter has given up.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    ended: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
}

/// Stands before the batch processor: counts what ends, keeps spans back that are recorded but not sampled, and cuts the
/// others to their limits.
#[derive(Debug)]
pub(crate) struct Gate {
    inner: BatchSpanProcessor,
    counts: Arc<Counts>,
    limits: Limits,
}

/// Stands behind a batch processor: counts what is exported, tells when exporting begins to fail and when it works
/// again, and keeps a panic of the exporter from ending the worker.
#[derive(Debug)]
pub(crate) struct Counted<E> {
    inner: E,
    counts: Arc<Counts>,
    failing: AtomicBool,
    what: &'static str,
}

// === impl Report ===

impl Report {
    /// Spans that have ended and that no exporter has taken.
    pub fn unsent(&self) -> u64 {
        self.ended.saturating_sub(self.exported)
    }
}

// === impl Counts ===

impl Counts {
    pub(crate) fn report(&self) -> Report {
        Report {
            ended: self.ended.load(Ordering::Relaxed),
            exported: self.exported.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new(inner: BatchSpanProcessor, counts: Arc<Counts>, limits: Limits) -> Self {
        Self { inner, counts, limits }
    }
}

impl SpanProcessor for Gate {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.inner.on_start(span, cx);
    }

    fn on_end(&self, mut span: SpanData) {
        if span.span_context.is_sampled() {
            self.limits.apply(&mut span);
            self.counts.ended.fetch_add(1, Ordering::Relaxed);
            self.inner.on_end(span);
        }
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

// === impl Counted ===

impl<E> Counted<E> {
    /// Counts what `inner` exports; `what` names it in the log, for example `spans`.
    pub(crate) fn new(inner: E, counts: Arc<Counts>, what: &'static str) -> Self {
        Self { inner, counts, failing: AtomicBool::new(false), what }
    }

    async fn watch(&self, items: usize, export: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        let exported = AssertUnwindSafe(export).catch_unwind().await;
        let result = exported.unwrap_or_else(|_| Err(OTelSdkError::InternalFailure("the exporter panicked".into())));
        self.note(items as u64, &result);
        result
    }

    fn note(&self, items: u64, result: &OTelSdkResult) {
        let counter = if result.is_ok() { &self.counts.exported } else { &self.counts.failed };
        counter.fetch_add(items, Ordering::Relaxed);
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => tracing::warn!(%error, "{} cannot be exported", self.what),
            Ok(()) if was_failing => {
                let failed = self.counts.failed.load(Ordering::Relaxed);
                tracing::info!(failed, "{} are exported again", self.what);
            }
            _ => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.watch(batch.len(), self.inner.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.watch(batch.iter().count(), self.inner.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Counted<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.watch(points::of(metrics).len(), self.inner.export(metrics)).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}
