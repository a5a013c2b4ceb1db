use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, TraceContextExt};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::keeper::Keeper;

/// Stands before the processor that exports: holds recorded spans of unsampled traces back until their call has ended.
/// Then they go on, as sampled ones if the call is to be kept. The processor behind takes sampled spans only.
#[derive(Debug)]
pub(crate) struct Keeping<P> {
    inner: P,
    keeper: Option<Arc<Keeper>>,
}

// === impl Keeping ===

impl<P> Keeping<P> {
    pub(super) fn new(inner: P, keeper: Option<Arc<Keeper>>) -> Self {
        Self { inner, keeper }
    }
}

impl<P: SpanProcessor> SpanProcessor for Keeping<P> {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.inner.on_start(span, cx);
        let context = span.span_context();
        if let Some(keeper) = &self.keeper
            && !context.is_sampled()
        {
            let parent = cx.span();
            let parent = parent.span_context();
            let local = (parent.is_valid() && !parent.is_remote()).then(|| parent.span_id());
            keeper.started(context.span_id(), local, |span| self.inner.on_end(span));
        }
    }

    fn on_end(&self, span: SpanData) {
        match &self.keeper {
            Some(keeper) if !span.span_context.is_sampled() => keeper.ended(span, |span| self.inner.on_end(span)),
            _ => self.inner.on_end(span),
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
