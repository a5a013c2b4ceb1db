//! What the SDK has collected, as plain series: for the console and for tests.

use std::fmt::{self, Display, Formatter};

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics};

use crate::logs::Escaped;

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) unit: String,
    /// Keys and values, sorted.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) value: Value,
}

/// What a series says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A counter's sum, or a gauge's last value.
    Number(f64),
    /// What a histogram has recorded.
    Distribution { count: u64, sum: f64, range: Option<(f64, f64)>, bounds: Vec<f64> },
}

/// Every series.
pub(crate) fn of(metrics: &ResourceMetrics) -> Vec<Point> {
    metrics.scope_metrics().flat_map(|scope| scope.metrics()).flat_map(points).collect()
}

/// How many series there are, for those who do not need them.
pub(crate) fn count(metrics: &ResourceMetrics) -> usize {
    metrics.scope_metrics().flat_map(|scope| scope.metrics()).map(counted).sum()
}

fn counted(metric: &Metric) -> usize {
    fn points<T>(data: &MetricData<T>) -> usize {
        match data {
            MetricData::Gauge(gauge) => gauge.data_points().count(),
            MetricData::Sum(sum) => sum.data_points().count(),
            MetricData::Histogram(histogram) => histogram.data_points().count(),
            MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
        }
    }
    match metric.data() {
        AggregatedMetrics::F64(data) => points(data),
        AggregatedMetrics::U64(data) => points(data),
        AggregatedMetrics::I64(data) => points(data),
    }
}

fn points(metric: &Metric) -> Vec<Point> {
    match metric.data() {
        AggregatedMetrics::F64(data) => values(metric, data, |value| value),
        AggregatedMetrics::U64(data) => values(metric, data, |value| value as f64),
        AggregatedMetrics::I64(data) => values(metric, data, |value| value as f64),
    }
}

fn values<T: Copy>(metric: &Metric, data: &MetricData<T>, number: fn(T) -> f64) -> Vec<Point> {
    let point = |attributes: Vec<&KeyValue>, value| Point::new(metric, attributes, value);
    let range = |min: Option<T>, max: Option<T>| Some((number(min?), number(max?)));
    match data {
        MetricData::Gauge(gauge) => {
            let points = gauge.data_points();
            points.map(|it| point(it.attributes().collect(), Value::Number(number(it.value())))).collect()
        }
        MetricData::Sum(sum) => {
            let points = sum.data_points();
            points.map(|it| point(it.attributes().collect(), Value::Number(number(it.value())))).collect()
        }
        MetricData::Histogram(histogram) => {
            let value = |it: &opentelemetry_sdk::metrics::data::HistogramDataPoint<T>| Value::Distribution {
                count: it.count(),
                sum: number(it.sum()),
                range: range(it.min(), it.max()),
                bounds: it.bounds().collect(),
            };
            histogram.data_points().map(|it| point(it.attributes().collect(), value(it))).collect()
        }
        MetricData::ExponentialHistogram(histogram) => {
            let value = |it: &opentelemetry_sdk::metrics::data::ExponentialHistogramDataPoint<T>| Value::Distribution {
                count: it.count() as u64,
                sum: number(it.sum()),
                range: range(it.min(), it.max()),
                bounds: Vec::new(),
            };
            histogram.data_points().map(|it| point(it.attributes().collect(), value(it))).collect()
        }
    }
}

// === impl Point ===

impl Point {
    fn new(metric: &Metric, attributes: Vec<&KeyValue>, value: Value) -> Self {
        let pair = |attribute: &&KeyValue| (attribute.key.to_string(), attribute.value.to_string());
        let mut attributes: Vec<_> = attributes.iter().map(pair).collect();
        attributes.sort();
        Self { name: metric.name().to_owned(), unit: metric.unit().to_owned(), attributes, value }
    }
}

/// `name [key=value, ..]`.
impl Display for Point {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(&self.name))?;
        for (index, (key, value)) in self.attributes.iter().enumerate() {
            let start = if index == 0 { " [" } else { ", " };
            write!(f, "{start}{}={}", Escaped(key), Escaped(value))?;
        }
        if self.attributes.is_empty() { Ok(()) } else { f.write_str("]") }
    }
}

#[cfg(test)]
mod tests;
