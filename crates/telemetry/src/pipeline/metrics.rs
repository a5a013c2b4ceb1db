use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use prost::Message;
use tokio::runtime::Handle;

use super::delivery::Delivery;
use super::exporter::Exporter;
use super::lane::{Lane, Setup};
use super::signal::Signal;
use crate::environment::Environment;
use crate::{console, points};

/// Delivers what a reader has collected.
#[derive(Debug)]
struct MetricExporter {
    delivery: Arc<Delivery>,
    is_printed: bool,
    temporality: Temporality,
    /// Where it is delivered: the reader's thread has no timer.
    runtime: Handle,
}

/// The provider that the environment asks for, if any, and the way that its points take.
pub(super) fn provider(setup: &Setup<'_>) -> (Option<SdkMeterProvider>, Lane) {
    let environment = setup.environment;
    let (exporter, delivery) = setup.delivery(Signal::Metrics, "OTEL_METRIC_EXPORT_TIMEOUT");
    let Some(delivery) = delivery else { return (None, Lane::OFF) };
    let is_printed = exporter == Exporter::Console;
    let exporter = MetricExporter {
        delivery: Arc::clone(&delivery),
        is_printed,
        temporality: if is_printed { Temporality::Cumulative } else { temporality(environment) },
        runtime: setup.runtime.clone(),
    };
    let reader = PeriodicReader::builder(exporter).with_interval(interval(environment)).build();
    let provider = SdkMeterProvider::builder().with_resource(setup.resource.clone()).with_reader(reader).build();
    (Some(provider), Lane { delivery: Some(delivery), queue: None })
}

fn interval(environment: &Environment) -> Duration {
    environment.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)
}

fn temporality(environment: &Environment) -> Temporality {
    const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    match environment.get(NAME).map(str::parse) {
        None => Temporality::Cumulative,
        Some(Ok(temporality)) => temporality,
        Some(Err(())) => {
            environment.warn(NAME, "is none of `cumulative`, `delta` and `lowmemory`, taken as `cumulative`");
            Temporality::Cumulative
        }
    }
}

// === impl MetricExporter ===

impl PushMetricExporter for MetricExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let items = points::count(metrics) as u64;
        if items == 0 {
            return Ok(());
        }
        let body = if self.is_printed {
            console::metrics(metrics).into_bytes()
        } else {
            ExportMetricsServiceRequest::from(metrics).encode_to_vec()
        };
        let delivery = Arc::clone(&self.delivery);
        delivery.fate().ended(items);
        let delivered = self.runtime.spawn(async move { delivery.deliver(body.into(), items).await }).await;
        // What has become of them stands in the account.
        delivered.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}

#[cfg(test)]
mod tests;
