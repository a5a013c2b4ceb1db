//! One producer of spans that does nothing else.

use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanBuilder, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use serde::{Deserialize, Serialize};
use telemetry::{Environment, Service, Telemetry};
use tokio::runtime::Builder;

use crate::Error;
use crate::load::{cpu_time, nanoseconds, peak_memory};
use crate::run::Pipeline;
use crate::variants::stock;

/// How long the producer rests between two lots of spans.
const REST: Duration = Duration::from_millis(1);

/// How much longer than planned the producer may take: beyond that it has not held its rate.
const LATENESS: f64 = 1.05;

/// What is made, how fast, and what it goes through.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Flood {
    pub(crate) pipeline: Pipeline,
    /// Spans per second.
    pub(crate) rate: u64,
    /// Spans in all.
    pub(crate) spans: u64,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`.
    pub(crate) queue: usize,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    pub(crate) batch: usize,
    /// The collector's address.
    pub(crate) otlp: String,
}

/// What it has cost this process.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Flooded {
    /// Whether the spans were made as fast as they were to be.
    pub(crate) held_rate: bool,
    /// Until everything was exported, in nanoseconds.
    pub(crate) cpu: u64,
    /// The most memory that the process has held, in KiB.
    pub(crate) peak: u64,
}

/// Forgets every span.
#[derive(Debug)]
struct Forgetful;

/// Does it, on this thread.
pub(crate) fn flood(flood: &Flood) -> Result<Flooded, Error> {
    match flood.pipeline {
        Pipeline::None => flood.pour(&SdkTracerProvider::builder().with_span_processor(Forgetful).build()),
        Pipeline::Ours => {
            let environment: Environment = [
                ("OTEL_EXPORTER_OTLP_ENDPOINT", flood.otlp.as_str()),
                ("OTEL_BSP_MAX_QUEUE_SIZE", &flood.queue.to_string()),
                ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &flood.batch.to_string()),
                ("OTEL_LOGS_EXPORTER", "none"),
                ("OTEL_METRICS_EXPORTER", "none"),
            ]
            .into_iter()
            .collect();
            let telemetry = Telemetry::new(&Service::new("versus", "0"), &environment)?;
            flood.pour(&telemetry.tracer_provider())
        }
        Pipeline::Stock => {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            let processor = stock::processor(&flood.otlp, flood.queue, flood.batch, &runtime)?;
            flood.pour(
                &SdkTracerProvider::builder().with_resource(stock::resource()).with_span_processor(processor).build(),
            )
        }
    }
}

// === impl Flood ===

impl Flood {
    fn pour(&self, provider: &SdkTracerProvider) -> Result<Flooded, Error> {
        let tracer = provider.tracer("versus");
        let cpu = cpu_time();
        let took = self.make(&tracer);
        // What is not sent shows at the collector.
        let _ = provider.force_flush();
        Ok(Flooded {
            held_rate: took.as_secs_f64() <= self.spans as f64 / self.rate as f64 * LATENESS,
            cpu: nanoseconds(cpu_time().saturating_sub(cpu)),
            peak: peak_memory()?,
        })
    }

    /// Makes the spans, each time as many as are due.
    fn make(&self, tracer: &SdkTracer) -> Duration {
        let (start, mut made) = (Instant::now(), 0);
        loop {
            let due = ((start.elapsed().as_secs_f64() * self.rate as f64) as u64).min(self.spans);
            for number in made..due {
                drop(tracer.build(span(number)));
            }
            made = due;
            if made == self.spans {
                return start.elapsed();
            }
            std::thread::sleep(REST);
        }
    }
}

/// A span with twelve attributes, of some 450 bytes as OTLP.
fn span(number: u64) -> SpanBuilder {
    SpanBuilder::from_name("shop.order.v1.OrderService/PlaceOrder").with_attributes([
        KeyValue::new("rpc.system.name", "grpc"),
        KeyValue::new("rpc.method", "shop.order.v1.OrderService/PlaceOrder"),
        KeyValue::new("rpc.response.status_code", "OK"),
        KeyValue::new("server.address", "order.shop.internal"),
        KeyValue::new("server.port", 50051),
        KeyValue::new("client.address", "10.0.0.17"),
        KeyValue::new("client.port", 41_822),
        KeyValue::new("network.transport", "tcp"),
        KeyValue::new("order.lines", 3),
        KeyValue::new("order.is_gift", false),
        KeyValue::new("order.number", i64::try_from(number).unwrap_or(i64::MAX)),
        KeyValue::new("order.currency", "EUR"),
    ])
}

// === impl Forgetful ===

impl SpanProcessor for Forgetful {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
