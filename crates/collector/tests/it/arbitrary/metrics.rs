use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{attributes, double, id, kind, number, resource, scope, text, time};

/// Metrics of every kind.
pub(crate) fn metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let metric = (text(), text(), attributes(), option::of(data())).prop_map(|(name, unit, metadata, data)| Metric {
        name,
        description: unit.clone(),
        unit,
        metadata,
        data,
    });
    let scope = (option::of(scope()), text(), vec(metric, 0..3))
        .prop_map(|(scope, schema_url, metrics)| ScopeMetrics { scope, metrics, schema_url });
    let batch = (option::of(resource()), text(), vec(scope, 0..3))
        .prop_map(|(resource, schema_url, scope_metrics)| ResourceMetrics { resource, scope_metrics, schema_url });
    vec(batch, 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

fn data() -> impl Strategy<Value = Data> {
    let numbers = || vec(number_point(), 0..3);
    prop_oneof![
        numbers().prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (numbers(), kind(), any::<bool>()).prop_map(|(data_points, aggregation_temporality, is_monotonic)| {
            Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
        }),
        (vec(histogram_point(), 0..3), kind()).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (vec(exponential_point(), 0..3), kind()).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
        }),
        vec(summary_point(), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

fn number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = prop_oneof![
        double().prop_map(number_data_point::Value::AsDouble),
        any::<i64>().prop_map(number_data_point::Value::AsInt),
    ];
    (attributes(), time(), time(), exemplars(), number(), option::of(value)).prop_map(
        |(attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            exemplars,
            flags,
            value,
        },
    )
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let values = (time(), option::of(double()), option::of(double()), vec(time(), 0..3), vec(double(), 0..3));
    (attributes(), time(), values, exemplars(), number()).prop_map(
        |(attributes, time_unix_nano, values, exemplars, flags)| {
            let (count, sum, min, bucket_counts, explicit_bounds) = values;
            HistogramDataPoint {
                attributes,
                start_time_unix_nano: time_unix_nano,
                time_unix_nano,
                count,
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags,
                min,
                max: min,
            }
        },
    )
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets = (any::<i32>(), vec(time(), 0..3));
    let buckets = option::of(buckets.prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }));
    let values = (time(), option::of(double()), any::<i32>(), double(), buckets);
    (attributes(), time(), values, exemplars(), number()).prop_map(
        |(attributes, time_unix_nano, values, exemplars, flags)| {
            let (count, sum, scale, zero_threshold, positive) = values;
            ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano: time_unix_nano,
                time_unix_nano,
                count,
                sum,
                scale,
                zero_count: count,
                negative: positive.clone(),
                positive,
                flags,
                exemplars,
                min: sum,
                max: sum,
                zero_threshold,
            }
        },
    )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantile = (double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (attributes(), time(), time(), double(), vec(quantile, 0..3), number()).prop_map(
        |(attributes, time_unix_nano, count, sum, quantile_values, flags)| SummaryDataPoint {
            attributes,
            start_time_unix_nano: time_unix_nano,
            time_unix_nano,
            count,
            sum,
            quantile_values,
            flags,
        },
    )
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let value =
        prop_oneof![double().prop_map(exemplar::Value::AsDouble), any::<i64>().prop_map(exemplar::Value::AsInt)];
    let exemplar = (attributes(), time(), id::<8>(), id::<16>(), option::of(value)).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    vec(exemplar, 0..2)
}
