//! What a service measures of its own domain, without naming OpenTelemetry.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{self as otel, Meter};

/// What a metric is called and what it says.
///
/// ```no_run
/// use telemetry::{Counter, Histogram, Metric, Telemetry, UpDownCounter};
///
/// /// What the shop measures: made once, cloned to wherever it is needed.
/// #[derive(Clone)]
/// struct Metrics {
///     orders: Counter,
///     values: Histogram,
///     in_flight: UpDownCounter,
/// }
///
/// const ORDERS: Metric =
///     Metric { name: "shop.orders", unit: "{order}", description: "Orders that came to an end." };
/// const VALUES: Metric =
///     Metric { name: "shop.order.value", unit: "{minor_unit}", description: "What paid orders are worth." };
/// const IN_FLIGHT: Metric =
///     Metric { name: "shop.orders.in_flight", unit: "{order}", description: "Orders that are worked on." };
///
/// impl Metrics {
///     fn new(telemetry: &Telemetry) -> Self {
///         Self {
///             orders: telemetry.counter(ORDERS),
///             values: telemetry.histogram(VALUES, &[100.0, 1_000.0, 10_000.0]),
///             in_flight: telemetry.up_down_counter(IN_FLIGHT),
///         }
///     }
/// }
///
/// async fn place(metrics: Metrics) {
///     // One more until the end of this function, also by an error, a panic or an abort.
///     let _in_flight = metrics.in_flight.enter(&[]);
///     // ...
///     metrics.orders.add(1, &[("order.state", "PAID")]);
///     metrics.values.record(2_100.0, &[("order.currency", "EUR")]);
/// }
/// ```
///
/// Names follow the conventions' rules: lower case, parts divided by dots, no unit and no `_total` in the name
/// (<https://github.com/open-telemetry/semantic-conventions/blob/main/docs/general/naming.md>). Asking twice for the same
/// metric gives the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, such as `shop.orders`: a letter, then letters, digits, `_`, `.`, `-` and `/`, 255 in all.
    pub name: &'static str,
    /// The unit by the Unified Code for Units of Measure: `s`, `By`, or what is counted in braces, `{order}`.
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub description: &'static str,
}

/// A key and a value that tell one series of a metric from another.
///
/// Both stand in the code: so a caller's data can neither make a series for each request nor leave the process. Make an
/// enum's name the value, or match what there are many of to a few words.
pub type Attribute = (&'static str, &'static str);

/// Counts what happens; made by [`Telemetry::counter`](crate::Telemetry::counter), cheap to clone.
///
/// The default counts nothing, for code that is tested without telemetry; so do the other three.
#[derive(Clone, Debug, Default)]
pub struct Counter(Option<otel::Counter<u64>>);

/// Counts what there is; made by [`Telemetry::up_down_counter`](crate::Telemetry::up_down_counter), cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct UpDownCounter(Option<otel::UpDownCounter<i64>>);

/// One that there is, until this is dropped; made by [`UpDownCounter::enter`].
#[derive(Debug)]
#[must_use = "counted for as long as this is held"]
pub struct InFlight {
    counter: UpDownCounter,
    attributes: Vec<KeyValue>,
}

/// Records how values are distributed; made by [`Telemetry::histogram`](crate::Telemetry::histogram), cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Option<otel::Histogram<f64>>);

/// Records how a value stands; made by [`Telemetry::gauge`](crate::Telemetry::gauge), cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Option<otel::Gauge<f64>>);

// === impl Metric ===

impl Metric {
    /// The SDK would say nothing and record nothing.
    fn assert_valid(&self) {
        let may_follow = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
        let starts_well = self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_name = starts_well && self.name.len() <= 255 && self.name.chars().all(may_follow);
        assert!(is_name, "{:?} is no name of a metric", self.name);
        let is_unit = self.unit.len() <= 63 && self.unit.is_ascii();
        assert!(is_unit, "{:?} is no unit", self.unit);
    }
}

// === impl Counter ===

impl Counter {
    pub(crate) fn new(meter: Option<&Meter>, metric: Metric) -> Self {
        metric.assert_valid();
        let build = |meter: &Meter| {
            meter.u64_counter(metric.name).with_unit(metric.unit).with_description(metric.description).build()
        };
        Self(meter.map(build))
    }

    /// Counts `amount` more.
    pub fn add(&self, amount: u64, attributes: &[Attribute]) {
        if let Some(counter) = &self.0 {
            counter.add(amount, &key_values(attributes));
        }
    }
}

// === impl UpDownCounter ===

impl UpDownCounter {
    pub(crate) fn new(meter: Option<&Meter>, metric: Metric) -> Self {
        metric.assert_valid();
        let build = |meter: &Meter| {
            meter.i64_up_down_counter(metric.name).with_unit(metric.unit).with_description(metric.description).build()
        };
        Self(meter.map(build))
    }

    /// Counts `change` more, or less if it is negative.
    pub fn add(&self, change: i64, attributes: &[Attribute]) {
        if let Some(counter) = &self.0 {
            counter.add(change, &key_values(attributes));
        }
    }

    /// Counts one more until the guard is dropped, however that comes about: its count never leaks.
    pub fn enter(&self, attributes: &[Attribute]) -> InFlight {
        let attributes = if self.0.is_some() { key_values(attributes) } else { Vec::new() };
        let in_flight = InFlight { counter: self.clone(), attributes };
        in_flight.count(1);
        in_flight
    }
}

// === impl InFlight ===

impl InFlight {
    fn count(&self, change: i64) {
        if let Some(counter) = &self.counter.0 {
            counter.add(change, &self.attributes);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.count(-1);
    }
}

// === impl Histogram ===

impl Histogram {
    pub(crate) fn new(meter: Option<&Meter>, metric: Metric, boundaries: &[f64]) -> Self {
        metric.assert_valid();
        let increase = boundaries.iter().all(|bound| bound.is_finite()) && boundaries.is_sorted_by(|a, b| a < b);
        assert!(increase, "the boundaries of {} do not increase", metric.name);
        let build = |meter: &Meter| {
            let histogram = meter.f64_histogram(metric.name).with_unit(metric.unit);
            histogram.with_description(metric.description).with_boundaries(boundaries.to_vec()).build()
        };
        Self(meter.map(build))
    }

    /// Records one value. What is no finite number is left out.
    pub fn record(&self, value: f64, attributes: &[Attribute]) {
        if let Some(histogram) = &self.0 {
            histogram.record(value, &key_values(attributes));
        }
    }
}

// === impl Gauge ===

impl Gauge {
    pub(crate) fn new(meter: Option<&Meter>, metric: Metric) -> Self {
        metric.assert_valid();
        let build = |meter: &Meter| {
            meter.f64_gauge(metric.name).with_unit(metric.unit).with_description(metric.description).build()
        };
        Self(meter.map(build))
    }

    /// Records how the value stands now.
    pub fn record(&self, value: f64, attributes: &[Attribute]) {
        if let Some(gauge) = &self.0 {
            gauge.record(value, &key_values(attributes));
        }
    }
}

fn key_values(attributes: &[Attribute]) -> Vec<KeyValue> {
    attributes.iter().map(|(key, value)| KeyValue::new(*key, *value)).collect()
}

#[cfg(test)]
mod tests;
