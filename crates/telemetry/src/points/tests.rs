use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality};

use super::*;

/// How many series were counted, and which there were, by their names.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<(usize, Vec<String>)>>);

impl PushMetricExporter for Seen {
    async fn export(&self, collected: &ResourceMetrics) -> OTelSdkResult {
        let names = of(collected).into_iter().map(|point| point.name);
        *self.0.lock().unwrap() = (count(collected), names.collect());
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

#[test]
fn as_many_series_are_counted_as_there_are_of_every_kind() {
    let exponential = |instrument: &Instrument| {
        let aggregation = Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
        let stream = Stream::builder().with_aggregation(aggregation);
        (instrument.name() == "exponential").then(|| stream.build().unwrap())
    };
    let seen = Seen::default();
    let reader = PeriodicReader::builder(seen.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_view(exponential).build();
    for (scope, series) in [("one", 1), ("other", 2)] {
        let meter = provider.meter(scope);
        for number in 0..series {
            let attributes = [KeyValue::new("number", number)];
            meter.f64_gauge("gauge").build().record(0.5, &attributes);
            meter.u64_counter("sum").build().add(1, &attributes);
            meter.i64_up_down_counter("sum.signed").build().add(-1, &attributes);
            meter.f64_histogram("explicit").build().record(0.5, &attributes);
            meter.u64_histogram("exponential").build().record(1, &attributes);
        }
    }
    provider.force_flush().unwrap();
    let (counted, mut names) = seen.0.lock().unwrap().clone();
    names.sort();
    let kinds = ["explicit", "exponential", "gauge", "sum", "sum.signed"];
    assert_eq!((counted, names), (15, kinds.map(|kind| [kind; 3]).concat().into_iter().map(str::to_owned).collect()));
}
