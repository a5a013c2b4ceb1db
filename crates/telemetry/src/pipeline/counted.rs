use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use crate::limits::Limits;
use crate::points;

/// What became of the spans that ended: those of [`ended`](Self::ended) that are in none of the other three are still
/// queued or on their way, or, after a shutdown, lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Sampled spans that have ended.
    pub ended: u64,
    /// Spans that an exporter has taken.
    pub exported: u64,
    /// Spans that an exporter has given up, or that the collector has refused.
    pub failed: u64,
    /// Spans that there was no room for, because too many waited (`OTEL_BSP_MAX_QUEUE_SIZE`).
    pub dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    ended: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// Stands before what exports: counts what ends, keeps spans back that are recorded but not sampled, and cuts the others
/// to their limits.
#[derive(Debug)]
pub(crate) struct Gate<P> {
    inner: P,
    counts: Arc<Counts>,
    limits: Limits,
}

/// Counts what becomes of the items of one signal, and tells when exporting begins to fail and when it works again.
#[derive(Debug)]
pub(crate) struct Fate {
    counts: Arc<Counts>,
    what: &'static str,
    is_failing: AtomicBool,
    has_dropped: AtomicBool,
    has_rejected: AtomicBool,
}

/// Stands behind a processor of the SDK: counts what is exported, and keeps a panic of the exporter from ending the
/// worker.
#[derive(Debug)]
pub(crate) struct Counted<E> {
    inner: E,
    fate: Fate,
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
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

// === impl Gate ===

impl<P> Gate<P> {
    pub(crate) fn new(inner: P, counts: Arc<Counts>, limits: Limits) -> Self {
        Self { inner, counts, limits }
    }
}

impl<P: SpanProcessor> SpanProcessor for Gate<P> {
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

// === impl Fate ===

impl Fate {
    /// `what` names the items in the log, for example `spans`.
    pub(crate) fn new(counts: Arc<Counts>, what: &'static str) -> Self {
        let never = || AtomicBool::new(false);
        Self { counts, what, is_failing: never(), has_dropped: never(), has_rejected: never() }
    }

    /// Some were exported, or given up for a reason.
    pub(crate) fn note(&self, items: u64, result: Result<(), &dyn Display>) {
        let counter = if result.is_ok() { &self.counts.exported } else { &self.counts.failed };
        counter.fetch_add(items, Ordering::Relaxed);
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => tell(|| tracing::warn!(%error, "{} cannot be exported", self.what)),
            Ok(()) if was_failing => {
                let failed = self.counts.failed.load(Ordering::Relaxed);
                tell(|| tracing::info!(failed, "{} are exported again", self.what));
            }
            _ => {}
        }
    }

    /// Some could not be exported so far, and it is tried again.
    pub(crate) fn failing(&self, error: &dyn Display) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tell(|| tracing::warn!(%error, "{} cannot be exported", self.what));
        }
    }

    /// Some were refused by a collector that took the others. Told once: it will refuse the next as well.
    pub(crate) fn rejected(&self, items: u64, reason: &str) {
        self.counts.failed.fetch_add(items, Ordering::Relaxed);
        let is_worth_telling = items > 0 || !reason.is_empty();
        if is_worth_telling && !self.has_rejected.swap(true, Ordering::Relaxed) {
            tell(|| tracing::warn!(items, reason, "the collector refuses {}", self.what));
        }
    }

    /// There was no room for one. Whether that is to be told: once, for how many it were stands in the report.
    pub(crate) fn dropped(&self) -> bool {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        !self.has_dropped.swap(true, Ordering::Relaxed)
    }

    /// Says that there was no room.
    pub(crate) fn tell_dropped(&self) {
        tell(|| tracing::warn!("{} are dropped, too many wait for the collector", self.what));
    }
}

/// Logs. A subscriber may panic; who counts must not, least of all in a `drop` that another panic has led to.
fn tell(log: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(log));
}

// === impl Counted ===

impl<E> Counted<E> {
    /// Counts what `inner` exports; `what` names it in the log, for example `spans`.
    pub(crate) fn new(inner: E, counts: Arc<Counts>, what: &'static str) -> Self {
        Self { inner, fate: Fate::new(counts, what) }
    }

    async fn watch(&self, items: usize, export: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        let exported = AssertUnwindSafe(export).catch_unwind().await;
        let result = exported.unwrap_or_else(|_| Err(OTelSdkError::InternalFailure("the exporter panicked".into())));
        self.fate.note(items as u64, result.as_ref().copied().map_err(|error| error as &dyn Display));
        result
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

#[cfg(test)]
mod tests;
