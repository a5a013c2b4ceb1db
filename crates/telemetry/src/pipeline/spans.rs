use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor, TracerProviderBuilder};

use super::encode;
use super::exporter::Exporter;
use super::lane::{Lane, Setup};
use super::queue::Queue;
use super::signal::Signal;
use crate::console;
use crate::environment::Environment;
use crate::limits::Limits;
use crate::sampling::{Ids, Sampler};

/// How long a flush waits that nobody has limited.
const LONGEST_FLUSH: Duration = Duration::from_secs(3600);

/// How they are batched.
const BATCHES: [&str; 3] = ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"];

/// Queues sampled spans as they end; those that are recorded and not sampled stay behind.
#[derive(Debug)]
struct SpanQueue {
    queue: Queue,
    /// The service's name, if the spans are for people.
    printed_for: Option<String>,
    limits: Limits,
}

/// The provider that the environment asks for, and the way that its spans take.
pub(super) fn provider(setup: &Setup<'_>, sampler: &Sampler) -> (SdkTracerProvider, Lane) {
    let provider = builder(setup.environment, setup.resource.clone(), sampler);
    let (exporter, delivery) = setup.delivery(Signal::Traces, "OTEL_BSP_EXPORT_TIMEOUT");
    let Some(delivery) = delivery else { return (provider.build(), Lane::OFF) };
    let queue = setup.queue(exporter, setup.batches(BATCHES, exporter, 5000), &delivery);
    let processor = SpanQueue {
        queue: queue.clone(),
        printed_for: (exporter == Exporter::Console).then(|| console::service(&setup.resource)),
        limits: Limits::of(setup.environment),
    };
    let provider = provider.with_span_processor(sampler.keeping(processor)).build();
    (provider, Lane { delivery: Some(delivery), queue: Some(queue) })
}

/// A provider of spans that hold what the environment allows.
pub(super) fn builder(environment: &Environment, resource: Resource, sampler: &Sampler) -> TracerProviderBuilder {
    let limit = |name, default: u64| environment.number(name, 0, default);
    let general = limit("OTEL_ATTRIBUTE_COUNT_LIMIT", 128);
    let limit = |name, default| u32::try_from(limit(name, default)).unwrap_or(u32::MAX);
    SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(sampler.clone())
        .with_id_generator(Ids::default())
        .with_max_attributes_per_span(limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", general))
        .with_max_events_per_span(limit("OTEL_SPAN_EVENT_COUNT_LIMIT", 128))
        .with_max_links_per_span(limit("OTEL_SPAN_LINK_COUNT_LIMIT", 128))
        .with_max_attributes_per_event(limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", 128))
        .with_max_attributes_per_link(limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", 128))
}

// === impl SpanQueue ===

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        self.limits.apply(&mut span);
        self.queue.add(&span.instrumentation_scope, |out| match &self.printed_for {
            None => encode::span(&span, out),
            Some(service) => console::span(service, &span, out),
        });
    }

    /// For those who hold the provider: [`Pipeline`](super::Pipeline) itself waits without holding up a thread.
    fn force_flush(&self) -> OTelSdkResult {
        self.queue.flush_within(LONGEST_FLUSH, false)
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.queue.flush_within(limit, true)
    }
}
