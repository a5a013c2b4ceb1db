use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};

use super::*;
use crate::testing::reader::OnDemand;

#[test]
fn as_many_series_are_counted_as_there_are_of_every_kind() {
    let exponential = |instrument: &Instrument| {
        let aggregation = Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
        let stream = Stream::builder().with_aggregation(aggregation);
        (instrument.name() == "exponential").then(|| stream.build().unwrap())
    };
    let reader = OnDemand::default();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).with_view(exponential).build();
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
    let mut metrics = ResourceMetrics::default();
    reader.collect(&mut metrics).unwrap();
    let mut names: Vec<_> = of(&metrics).into_iter().map(|point| point.name).collect();
    names.sort();
    let kinds = ["explicit", "exponential", "gauge", "sum", "sum.signed"];
    assert_eq!(
        (count(&metrics), names),
        (15, kinds.map(|kind| [kind; 3]).concat().into_iter().map(str::to_owned).collect())
    );
}
