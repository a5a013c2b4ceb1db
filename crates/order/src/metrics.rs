//! What the service measures of its own business; `lib` says what each metric means.

use telemetry::{Counter, Histogram, InFlight, Metric, Telemetry, UpDownCounter};

use crate::order::{Money, Order, State};

const ORDERS: Metric =
    Metric { name: "shop.orders", unit: "{order}", description: "Orders that came to rest, by their state." };

const VALUE: Metric = Metric {
    name: "shop.order.value",
    unit: "{minor_unit}",
    description: "Totals of orders that came to rest, in the currency's minor unit.",
};

const IN_FLIGHT: Metric =
    Metric { name: "shop.orders.in_flight", unit: "{order}", description: "Orders that are being worked on." };

const RECOVERED: Metric = Metric {
    name: "shop.orders.recovered",
    unit: "{order}",
    description: "Times that an order was taken up again after its work was left undone.",
};

const EVENTS: Metric = Metric {
    name: "shop.events",
    unit: "{event}",
    description: "Attempts to hand an order's event over, by what came of them.",
};

/// The bounds of the totals' buckets, in minor units: from one euro to a thousand.
const TOTALS: [f64; 10] = [100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 25_000.0, 50_000.0, 100_000.0];

/// The order service's own metrics; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    orders: Counter,
    value: Histogram,
    in_flight: UpDownCounter,
    recovered: Counter,
    events: Counter,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        Self {
            orders: telemetry.counter(ORDERS),
            value: telemetry.histogram(VALUE, &TOTALS),
            in_flight: telemetry.up_down_counter(IN_FLIGHT),
            recovered: telemetry.counter(RECOVERED),
            events: telemetry.counter(EVENTS),
        }
    }

    /// Counts an attempt to send an event, by what came of it.
    pub(crate) fn sent(&self, outcome: &'static str) {
        self.events.add(1, &[("event.outcome", outcome)]);
    }

    /// Counts an order that was left undone and is taken up again.
    pub(crate) fn recovering(&self) {
        self.recovered.add(1, &[]);
    }

    /// Counts an order as being worked on until the guard is dropped.
    pub(crate) fn working(&self) -> InFlight {
        self.in_flight.enter(&[])
    }

    /// Counts an order that has come to rest, if it has.
    pub(crate) fn moved(&self, order: &Order) {
        let state = match order.state {
            State::PaymentPending | State::CancelPending { .. } => return,
            State::Paid => "PAID",
            State::Declined(_) => "DECLINED",
            State::Cancelled => "CANCELLED",
        };
        self.orders.add(1, &[("order.state", state)]);
        let total = order.total.minor_units() as f64;
        self.value.record(total, &[("order.currency", currency(&order.total)), ("order.state", state)]);
    }
}

/// The currencies of the catalogue by name: what else a store may hold makes no series of its own.
fn currency(total: &Money) -> &'static str {
    match total.currency().as_str() {
        "EUR" => "EUR",
        _ => "other",
    }
}
