use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::Service;
use crate::testing::Spans;

const fn named(name: &'static str) -> Metric {
    Metric { name, unit: "{order}", description: "Orders." }
}

const PAID: [Attribute; 1] = [("order.state", "PAID")];

#[test]
fn each_kind_measures_what_it_is_for() {
    let spans = Spans::new();
    let telemetry = spans.service(Service::new("order", "0"));
    let orders = telemetry.counter(named("shop.orders"));
    orders.add(1, &PAID);
    orders.clone().add(2, &PAID);
    telemetry.counter(named("shop.orders")).add(1, &[("order.state", "DECLINED")]);
    telemetry.up_down_counter(named("shop.stock")).add(-3, &[]);
    let values = telemetry.histogram(named("shop.order.value"), &[100.0, 1000.0]);
    values.record(50.0, &PAID);
    values.record(2100.0, &PAID);
    values.record(f64::NAN, &PAID);
    let load = telemetry.gauge(named("shop.load"));
    load.record(0.5, &[]);
    load.record(0.25, &[]);

    let metrics = spans.metrics_now();
    let expected = "\
order shop.load 0.25
order shop.order.value [order.state=PAID] count 2, sum 2150
order shop.orders [order.state=DECLINED] 1
order shop.orders [order.state=PAID] 3
order shop.stock -3
";
    assert_eq!(metrics.render(""), expected);
    assert_eq!(metrics.boundaries("shop.order.value"), [100.0, 1000.0]);
    assert_eq!(metrics.sum("shop.orders", &[("service.name", "order")]), 4.0);
}

#[tokio::test]
async fn what_is_in_flight_is_counted_until_it_ends_in_whichever_way() {
    let spans = Spans::new();
    let in_flight = spans.service(Service::new("order", "0")).up_down_counter(named("shop.orders.in_flight"));
    let now = || spans.metrics_now().sum("shop.orders.in_flight", &PAID);

    let held = in_flight.enter(&PAID);
    assert_eq!(now(), 1.0);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _held = in_flight.enter(&PAID);
        assert_eq!(now(), 2.0);
        panic!("the work's own");
    }));
    assert!(panicked.is_err());
    assert_eq!(now(), 1.0);

    let entered = in_flight.clone();
    let task = crate::spawn(async move {
        let _held = entered.enter(&PAID);
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    assert_eq!(now(), 2.0);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(now(), 1.0);
    drop(held);
    assert_eq!(now(), 0.0);
}

#[test]
fn the_default_measures_nothing() {
    Counter::default().add(1, &PAID);
    drop(UpDownCounter::default().enter(&PAID));
    Histogram::default().record(1.0, &PAID);
    Gauge::default().record(1.0, &PAID);
}

#[test]
fn what_the_sdk_would_silently_drop_is_refused() {
    let telemetry = Spans::new().service(Service::new("order", "0"));
    let refused = |make: &dyn Fn()| catch_unwind(AssertUnwindSafe(make)).is_err();
    for name in ["", "1st", "shop orders", "größe"] {
        assert!(refused(&|| drop(telemetry.counter(named(name)))), "{name}");
    }
    let unit = Metric { unit: "€", ..named("shop.value") };
    assert!(refused(&|| drop(telemetry.gauge(unit))));
    for boundaries in [&[1.0, 1.0][..], &[2.0, 1.0], &[f64::NAN], &[f64::INFINITY]] {
        assert!(refused(&|| drop(telemetry.histogram(named("shop.value"), boundaries))), "{boundaries:?}");
    }
    assert!(!refused(&|| drop(telemetry.histogram(named("shop.value"), &[]))));
}
