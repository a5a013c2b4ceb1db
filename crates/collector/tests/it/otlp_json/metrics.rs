use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, SummaryDataPoint, exemplar, number_data_point, summary_data_point,
};
use serde_json::{Value, json};

use super::{double, hex, integer, key_value, list, message, number, resource, scope, text};

pub(crate) fn metrics(request: &ExportMetricsServiceRequest) -> Value {
    message([("resourceMetrics", list(&request.resource_metrics, resource_metrics))])
}

fn resource_metrics(batch: &ResourceMetrics) -> Value {
    message([
        ("resource", batch.resource.as_ref().map(resource)),
        ("scopeMetrics", list(&batch.scope_metrics, scope_metrics)),
        ("schemaUrl", text(&batch.schema_url)),
    ])
}

fn scope_metrics(batch: &ScopeMetrics) -> Value {
    message([
        ("scope", batch.scope.as_ref().map(scope)),
        ("metrics", list(&batch.metrics, metric)),
        ("schemaUrl", text(&batch.schema_url)),
    ])
}

fn metric(metric: &Metric) -> Value {
    let (name, data) = metric.data.as_ref().map(data).unwrap_or(("gauge", None));
    message([
        ("name", text(&metric.name)),
        ("description", text(&metric.description)),
        ("unit", text(&metric.unit)),
        ("metadata", list(&metric.metadata, key_value)),
        (name, data),
    ])
}

fn data(data: &Data) -> (&'static str, Option<Value>) {
    let points = |points, temporality, is_monotonic: bool| {
        let monotonic = is_monotonic.then_some(json!(true));
        let fields = [("dataPoints", points), ("aggregationTemporality", temporality), ("isMonotonic", monotonic)];
        Some(message(fields))
    };
    match data {
        Data::Gauge(data) => ("gauge", points(list(&data.data_points, number_point), None, false)),
        Data::Sum(data) => {
            let temporality = number(data.aggregation_temporality);
            ("sum", points(list(&data.data_points, number_point), temporality, data.is_monotonic))
        }
        Data::Histogram(data) => {
            let temporality = number(data.aggregation_temporality);
            ("histogram", points(list(&data.data_points, histogram_point), temporality, false))
        }
        Data::ExponentialHistogram(data) => {
            let temporality = number(data.aggregation_temporality);
            ("exponentialHistogram", points(list(&data.data_points, exponential_point), temporality, false))
        }
        Data::Summary(data) => ("summary", points(list(&data.data_points, summary_point), None, false)),
    }
}

fn number_point(point: &NumberDataPoint) -> Value {
    let value = match point.value {
        Some(number_data_point::Value::AsInt(value)) => ("asInt", Some(json!(value.to_string()))),
        Some(number_data_point::Value::AsDouble(value)) => ("asDouble", Some(double(value))),
        None => ("asDouble", None),
    };
    message([
        ("attributes", list(&point.attributes, key_value)),
        ("startTimeUnixNano", integer(point.start_time_unix_nano)),
        ("timeUnixNano", integer(point.time_unix_nano)),
        ("exemplars", list(&point.exemplars, exemplar)),
        ("flags", number(point.flags)),
        value,
    ])
}

fn histogram_point(point: &HistogramDataPoint) -> Value {
    message([
        ("attributes", list(&point.attributes, key_value)),
        ("startTimeUnixNano", integer(point.start_time_unix_nano)),
        ("timeUnixNano", integer(point.time_unix_nano)),
        ("count", integer(point.count)),
        ("sum", point.sum.map(double)),
        ("bucketCounts", list(&point.bucket_counts, |count| json!(count.to_string()))),
        ("explicitBounds", list(&point.explicit_bounds, |bound| double(*bound))),
        ("exemplars", list(&point.exemplars, exemplar)),
        ("flags", number(point.flags)),
        ("min", point.min.map(double)),
        ("max", point.max.map(double)),
    ])
}

fn exponential_point(point: &ExponentialHistogramDataPoint) -> Value {
    message([
        ("attributes", list(&point.attributes, key_value)),
        ("startTimeUnixNano", integer(point.start_time_unix_nano)),
        ("timeUnixNano", integer(point.time_unix_nano)),
        ("count", integer(point.count)),
        ("sum", point.sum.map(double)),
        ("scale", number(point.scale)),
        ("zeroCount", integer(point.zero_count)),
        ("positive", point.positive.as_ref().map(buckets)),
        ("negative", point.negative.as_ref().map(buckets)),
        ("flags", number(point.flags)),
        ("exemplars", list(&point.exemplars, exemplar)),
        ("min", point.min.map(double)),
        ("max", point.max.map(double)),
        ("zeroThreshold", Some(double(point.zero_threshold))),
    ])
}

fn buckets(buckets: &Buckets) -> Value {
    let counts = list(&buckets.bucket_counts, |count| json!(count.to_string()));
    message([("offset", number(buckets.offset)), ("bucketCounts", counts)])
}

fn summary_point(point: &SummaryDataPoint) -> Value {
    message([
        ("attributes", list(&point.attributes, key_value)),
        ("startTimeUnixNano", integer(point.start_time_unix_nano)),
        ("timeUnixNano", integer(point.time_unix_nano)),
        ("count", integer(point.count)),
        ("sum", Some(double(point.sum))),
        ("quantileValues", list(&point.quantile_values, quantile)),
        ("flags", number(point.flags)),
    ])
}

fn quantile(quantile: &summary_data_point::ValueAtQuantile) -> Value {
    json!({"quantile": double(quantile.quantile), "value": double(quantile.value)})
}

fn exemplar(exemplar: &Exemplar) -> Value {
    let value = match exemplar.value {
        Some(exemplar::Value::AsInt(value)) => ("asInt", Some(json!(value.to_string()))),
        Some(exemplar::Value::AsDouble(value)) => ("asDouble", Some(double(value))),
        None => ("asDouble", None),
    };
    message([
        ("filteredAttributes", list(&exemplar.filtered_attributes, key_value)),
        ("timeUnixNano", integer(exemplar.time_unix_nano)),
        ("spanId", hex(&exemplar.span_id)),
        ("traceId", hex(&exemplar.trace_id)),
        value,
    ])
}
