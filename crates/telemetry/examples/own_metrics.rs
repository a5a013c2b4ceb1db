//! Metrics of one's own: a counter, a histogram, a gauge, and a guard that counts what is in flight.
//!
//! ```sh
//! OTEL_METRICS_EXPORTER=console cargo run -p telemetry --example own_metrics
//! ```
//!
//! The series are written twice, while an order is being made and at the end. Without the variable they go to an
//! OpenTelemetry collector at localhost:4317. If none listens, the program says so on stderr and works all the same.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;
use std::time::Duration;

use telemetry::{Counter, Environment, Gauge, Histogram, Metric, Service, Telemetry, UpDownCounter};

const ORDERS: Metric = Metric { name: "kitchen.orders", unit: "{order}", description: "Orders that came to an end." };
const WEIGHT: Metric = Metric { name: "kitchen.order.weight", unit: "g", description: "What orders weigh." };
const IN_FLIGHT: Metric =
    Metric { name: "kitchen.orders.in_flight", unit: "{order}", description: "Orders that are being made." };
const FLOUR: Metric = Metric { name: "kitchen.stock.flour", unit: "g", description: "Flour that is left." };

/// What the kitchen measures: made once, cloned to wherever it is needed.
#[derive(Clone)]
struct Metrics {
    orders: Counter,
    weight: Histogram,
    in_flight: UpDownCounter,
    flour: Gauge,
}

struct Kitchen {
    metrics: Metrics,
    flour: f64,
}

/// There is not enough flour.
struct SoldOut;

// === impl Metrics ===

impl Metrics {
    fn new(telemetry: &Telemetry) -> Self {
        Self {
            orders: telemetry.counter(ORDERS),
            weight: telemetry.histogram(WEIGHT, &[250.0, 500.0, 1_000.0]),
            in_flight: telemetry.up_down_counter(IN_FLIGHT),
            flour: telemetry.gauge(FLOUR),
        }
    }
}

// === impl Kitchen ===

impl Kitchen {
    /// Makes one order, and does what is asked for in the middle of it.
    async fn make(&mut self, weight: f64, meanwhile: impl Future<Output = ()>) {
        // One more until the end of this function, also by an error, a panic or an abort.
        let _in_flight = self.metrics.in_flight.enter(&[]);
        meanwhile.await;
        let state = match self.take(weight) {
            Ok(()) => "MADE",
            Err(SoldOut) => "SOLD_OUT",
        };
        // Values of attributes stand in the code: what a caller sends cannot make a series for each request.
        self.metrics.orders.add(1, &[("order.state", state)]);
        self.metrics.weight.record(weight, &[]);
    }

    fn take(&mut self, weight: f64) -> Result<(), SoldOut> {
        if weight > self.flour {
            return Err(SoldOut);
        }
        self.flour -= weight;
        self.metrics.flour.record(self.flour, &[]);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = telemetry::init(Service::new("kitchen", "1.0.0"), Environment::from_process())?;
    let mut kitchen = Kitchen { metrics: Metrics::new(&telemetry), flour: 1_000.0 };

    kitchen.make(300.0, async {}).await;
    kitchen.make(600.0, async {}).await;
    // Metrics leave every OTEL_METRIC_EXPORT_INTERVAL, and when they are asked to.
    let flush = async {
        telemetry.flush(Duration::from_secs(3)).await;
    };
    kitchen.make(600.0, flush).await;

    println!("{} g of flour are left", kitchen.flour);
    telemetry.shutdown(Duration::from_secs(3)).await;
    Ok(())
}
