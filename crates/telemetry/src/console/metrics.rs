//! `OTEL_METRICS_EXPORTER=console`: every series as a line on stdout, each time metrics are collected.
//!
//! ```text
//! payment rpc.server.active_calls [rpc.method=shop.payment.v1.PaymentService/Charge, rpc.system.name=grpc] 0 {call}
//! payment rpc.server.call.duration [rpc.method=shop.payment.v1.PaymentService/Charge, rpc.status_code=OK, rpc.system.name=grpc] count 3, sum 0.0432 s, from 0.0131 s to 0.0164 s
//! ```

use opentelemetry_sdk::metrics::data::ResourceMetrics;

use super::service;
use crate::logs::Escaped;
use crate::points::{self, Point, Value};

/// The series as text, in the order of their names.
pub(crate) fn metrics(metrics: &ResourceMetrics) -> String {
    let service = service(metrics.resource());
    let mut lines: Vec<_> = points::of(metrics).iter().map(|point| line(&service, point)).collect();
    lines.sort();
    lines.concat()
}

fn line(service: &str, point: &Point) -> String {
    let unit = if point.unit.is_empty() { String::new() } else { format!(" {}", Escaped(&point.unit)) };
    let value = match &point.value {
        Value::Number(number) => format!("{number}{unit}"),
        Value::Distribution { count, sum, range: Some((least, most)), .. } => {
            format!("count {count}, sum {sum}{unit}, from {least}{unit} to {most}{unit}")
        }
        Value::Distribution { count, sum, range: None, .. } => format!("count {count}, sum {sum}{unit}"),
    };
    format!("{} {point} {value}\n", Escaped(service))
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use opentelemetry_sdk::metrics::reader::MetricReader;

    use super::*;
    use crate::testing::reader::OnDemand;

    #[test]
    fn every_series_is_a_line() {
        let reader = OnDemand::default();
        let provider = SdkMeterProvider::builder()
            .with_resource(Resource::builder_empty().with_service_name("order").build())
            .with_reader(reader.clone())
            .build();
        let meter = provider.meter("test");
        let orders = meter.u64_counter("shop.orders").with_unit("{order}").build();
        orders.add(2, &[KeyValue::new("order.state", "PAID\u{1b}[31m"), KeyValue::new("a", 1)]);
        meter.f64_gauge("temperature").build().record(-1.5, &[]);
        let wait = meter.f64_histogram("wait").with_unit("s").build();
        wait.record(0.25, &[]);
        wait.record(0.5, &[]);
        let mut collected = ResourceMetrics::default();
        reader.collect(&mut collected).unwrap();
        let expected = r"order shop.orders [a=1, order.state=PAID\u{1b}[31m] 2 {order}
order temperature -1.5
order wait count 2, sum 0.75 s, from 0.25 s to 0.5 s
";
        assert_eq!(metrics(&collected), expected);
    }
}
