use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality};

use crate::points::{self, Point};

/// What one service measures.
#[derive(Debug)]
pub(super) struct Measuring {
    service: String,
    reader: OnDemand,
    /// Keeps what has been measured when the service is gone.
    _provider: SdkMeterProvider,
}

/// Reads metrics when it is asked to, also those of a service that has stopped.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnDemand(Arc<ManualReader>);

// === impl Measuring ===

impl Measuring {
    /// `reader` reads what `provider` makes.
    pub(super) fn new(service: String, reader: OnDemand, provider: &SdkMeterProvider) -> Self {
        Self { service, reader, _provider: provider.clone() }
    }

    /// Every series, with the name of the service.
    pub(super) fn points(&self) -> Vec<(String, Point)> {
        let mut metrics = ResourceMetrics::default();
        self.reader.collect(&mut metrics).expect("this reader is never shut down");
        points::of(&metrics).into_iter().map(|point| (self.service.clone(), point)).collect()
    }
}

// === impl OnDemand ===

impl MetricReader for OnDemand {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}
