use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics};

use super::kept::service_name;

/// How many metrics are told apart, all services taken together.
const MAX_METRICS: usize = 1_000;

/// How long a name may be to be kept; OpenTelemetry allows an instrument 255 characters.
const MAX_NAME: usize = 255;

/// How many data points came, by service and metric.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points {
    pub(crate) total: u64,
    /// By service, then by metric. What comes after the bound on their number counts only in the total.
    pub(crate) by_service: BTreeMap<String, BTreeMap<String, u64>>,
    metrics: usize,
}

// === impl Points ===

impl Points {
    pub(super) fn count(&mut self, batches: &[ResourceMetrics]) {
        for batch in batches {
            let service = service_name(batch.resource.as_ref());
            for metric in batch.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                self.add(service, &metric.name, points(metric));
            }
        }
    }

    fn add(&mut self, service: &str, metric: &str, points: u64) {
        self.total += points;
        if let Some(count) = self.by_service.get_mut(service).and_then(|metrics| metrics.get_mut(metric)) {
            *count += points;
        } else if self.metrics < MAX_METRICS && service.len() <= MAX_NAME && metric.len() <= MAX_NAME {
            self.metrics += 1;
            self.by_service.entry(service.to_owned()).or_default().insert(metric.to_owned(), points);
        }
    }
}

fn points(metric: &Metric) -> u64 {
    let points = match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    };
    points as u64
}
