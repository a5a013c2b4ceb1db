use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanExporter, SpanProcessor, TracerProviderBuilder,
};
use tokio::runtime::Handle;

use crate::console::ConsoleExporter;
use crate::environment::Environment;
use crate::init::InitError;
use crate::limits::Limits;
use crate::pipeline::buffers::Buffers;
use crate::pipeline::counted::{Counted, Counts, Fate, Gate};
use crate::pipeline::direct::Direct;
use crate::pipeline::exporter::{Exporter, exporter};
use crate::pipeline::otlp::Otlp;
use crate::pipeline::sender::Sender;
use crate::sampling::{Ids, Sampler};

/// The provider that the environment asks for.
pub(super) fn provider(
    environment: &Environment,
    disabled: bool,
    resource: Resource,
    sampler: &Sampler,
    counts: &Arc<Counts>,
    runtime: &Handle,
) -> Result<SdkTracerProvider, InitError> {
    let described = resource.clone();
    let provider = builder(environment, resource, sampler);
    if disabled {
        return Ok(provider.build());
    }
    Ok(match exporter(environment, "OTEL_TRACES_EXPORTER") {
        Exporter::None => provider,
        Exporter::Console => {
            provider.with_span_processor(sampler.keeping(batched(environment, ConsoleExporter::stdout(), counts)))
        }
        Exporter::Otlp => {
            let sender = Otlp::new(environment, "TRACES")?.sender(runtime)?;
            let direct = direct(environment, &described, sender, counts, runtime);
            provider.with_span_processor(sampler.keeping(direct))
        }
    }
    .build())
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

/// How soon a console shows a span, for a person who waits for it.
const CONSOLE_DELAY: u64 = 100;

/// How spans are batched, by `OTEL_BSP_*`.
struct Batches {
    most_spans: usize,
    batch: usize,
    delay: Duration,
}

impl Batches {
    /// `delay` in milliseconds, unless the environment says otherwise.
    fn of(environment: &Environment, delay: u64) -> Self {
        let most_spans = environment.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 2048);
        let batch = environment.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, 512).min(most_spans);
        let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let delay = environment.milliseconds("OTEL_BSP_SCHEDULE_DELAY", delay);
        Self { most_spans: size(most_spans), batch: size(batch), delay }
    }
}

/// To a collector.
fn direct(
    environment: &Environment,
    resource: &Resource,
    sender: Sender,
    counts: &Arc<Counts>,
    runtime: &Handle,
) -> impl SpanProcessor + 'static {
    let Batches { most_spans, batch, delay } = Batches::of(environment, 5000);
    let (buffers, fate) = (Buffers::new(most_spans, batch), Arc::new(Fate::new(Arc::clone(counts), "spans")));
    let direct = Direct::new(buffers, delay, resource, sender, fate, runtime);
    Gate::new(direct, Arc::clone(counts), Limits::of(environment))
}

/// To whatever the SDK's own processor hands spans to.
fn batched(
    environment: &Environment,
    exporter: impl SpanExporter + 'static,
    counts: &Arc<Counts>,
) -> impl SpanProcessor + 'static {
    let Batches { most_spans, batch, delay } = Batches::of(environment, CONSOLE_DELAY);
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(most_spans)
        .with_max_export_batch_size(batch)
        .with_scheduled_delay(delay)
        .build();
    let exporter = Counted::new(exporter, Arc::clone(counts), "spans");
    let batched = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Gate::new(batched, Arc::clone(counts), Limits::of(environment))
}
