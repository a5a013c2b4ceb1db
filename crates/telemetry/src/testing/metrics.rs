use std::fmt::Write;

use crate::points::{Point, Value};

/// What the services of a test have measured, at one moment; taken by [`Spans::metrics`](crate::testing::Spans::metrics).
///
/// ```
/// # async fn example(spans: telemetry::testing::Spans) {
/// let metrics = spans.metrics().await;
/// assert_eq!(metrics.count("rpc.server.call.duration", &[("rpc.status_code", "OK")]), 1);
/// assert_eq!(metrics.sum("shop.orders", &[("service.name", "order"), ("order.state", "PAID")]), 1.0);
/// assert_eq!(metrics.render("shop."), "order shop.orders [order.state=PAID] 1\n");
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// With the name of the service.
    points: Vec<(String, Point)>,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(points: Vec<(String, Point)>) -> Self {
        Self { points }
    }

    /// How many values the histogram `name` has recorded, in all series that have these attributes. The service's name
    /// counts as an attribute, `service.name`.
    pub fn count(&self, name: &str, attributes: &[(&str, &str)]) -> u64 {
        let counts = self.matching(name, attributes).map(|point| match &point.value {
            Value::Number(_) => 0,
            Value::Distribution { count, .. } => *count,
        });
        counts.sum()
    }

    /// What the counter `name` stands at, or the sum of the values that the histogram `name` has recorded, in all series
    /// that have these attributes. The service's name counts as an attribute, `service.name`.
    pub fn sum(&self, name: &str, attributes: &[(&str, &str)]) -> f64 {
        let sums = self.matching(name, attributes).map(|point| match &point.value {
            Value::Number(number) => *number,
            Value::Distribution { sum, .. } => *sum,
        });
        sums.sum()
    }

    /// The bounds of the buckets of the histogram `name`; empty if there is none.
    pub fn boundaries(&self, name: &str) -> &[f64] {
        let mut bounds = self.matching(name, &[]).filter_map(|point| match &point.value {
            Value::Number(_) => None,
            Value::Distribution { bounds, .. } => Some(bounds.as_slice()),
        });
        bounds.next().unwrap_or_default()
    }

    /// The series whose metric's name begins with `prefix`, a line each, sorted.
    ///
    /// A line is `service name [key=value, ..]` and the value: of a counter or a gauge the number, of a histogram
    /// `count 2, sum 2100`, and only `count 2` where the unit is seconds, for those are never twice the same.
    pub fn render(&self, prefix: &str) -> String {
        let shown = self.points.iter().filter(|(_, point)| point.name.starts_with(prefix));
        let mut lines: Vec<_> = shown.map(|(service, point)| line(service, point)).collect();
        lines.sort();
        lines.concat()
    }

    /// Whether no call and no request is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        let counts_active =
            |point: &Point| point.name.ends_with(".active_calls") || point.name.ends_with(".active_requests");
        self.points.iter().all(|(_, point)| !counts_active(point) || point.value == Value::Number(0.0))
    }

    fn matching(&self, name: &str, attributes: &[(&str, &str)]) -> impl Iterator<Item = &Point> {
        let has = |service: &String, point: &Point, key: &str, value: &str| match key {
            "service.name" => service == value,
            _ => point.attributes.iter().any(|(own, its)| own == key && its == value),
        };
        let points = self.points.iter().filter(move |(service, point)| {
            point.name == name && attributes.iter().all(|(key, value)| has(service, point, key, value))
        });
        points.map(|(_, point)| point)
    }
}

fn line(service: &str, point: &Point) -> String {
    let mut line = format!("{service} {point} ");
    let _ = match &point.value {
        Value::Number(number) => writeln!(line, "{number}"),
        Value::Distribution { count, .. } if point.unit == "s" => writeln!(line, "count {count}"),
        Value::Distribution { count, sum, .. } => writeln!(line, "count {count}, sum {sum}"),
    };
    line
}
