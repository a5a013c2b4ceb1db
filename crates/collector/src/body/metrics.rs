//! Metrics as they are written in JSON.
//!
//! The generated messages take a metric whose points they can't read for one without any, because the alternatives
//! of its data are flattened into it. Here each alternative is a field of its own, which has to be right.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1 as pb;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MetricsRequest {
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceMetrics {
    resource: Option<Resource>,
    scope_metrics: Vec<ScopeMetrics>,
    schema_url: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScopeMetrics {
    scope: Option<InstrumentationScope>,
    metrics: Vec<Metric>,
    schema_url: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metric {
    name: String,
    description: String,
    unit: String,
    metadata: Vec<KeyValue>,
    gauge: Option<pb::Gauge>,
    sum: Option<pb::Sum>,
    histogram: Option<pb::Histogram>,
    exponential_histogram: Option<pb::ExponentialHistogram>,
    summary: Option<pb::Summary>,
}

// === impl MetricsRequest ===

impl From<MetricsRequest> for ExportMetricsServiceRequest {
    fn from(request: MetricsRequest) -> Self {
        Self { resource_metrics: request.resource_metrics.into_iter().map(Into::into).collect() }
    }
}

// === impl ResourceMetrics ===

impl From<ResourceMetrics> for pb::ResourceMetrics {
    fn from(ResourceMetrics { resource, scope_metrics, schema_url }: ResourceMetrics) -> Self {
        Self { resource, scope_metrics: scope_metrics.into_iter().map(Into::into).collect(), schema_url }
    }
}

// === impl ScopeMetrics ===

impl From<ScopeMetrics> for pb::ScopeMetrics {
    fn from(ScopeMetrics { scope, metrics, schema_url }: ScopeMetrics) -> Self {
        Self { scope, metrics: metrics.into_iter().map(Into::into).collect(), schema_url }
    }
}

// === impl Metric ===

impl From<Metric> for pb::Metric {
    fn from(metric: Metric) -> Self {
        let Metric { name, description, unit, metadata, gauge, sum, histogram, exponential_histogram, summary } =
            metric;
        let data = gauge.map(Data::Gauge).or(sum.map(Data::Sum)).or(histogram.map(Data::Histogram));
        let data = data.or(exponential_histogram.map(Data::ExponentialHistogram)).or(summary.map(Data::Summary));
        Self { name, description, unit, metadata, data }
    }
}
