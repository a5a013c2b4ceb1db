//! `OTEL_METRICS_EXPORTER=console`: every series as a line on stdout, each time metrics are collected.
//!
//! ```text
//! payment rpc.server.active_calls [rpc.method=shop.payment.v1.PaymentService/Charge, rpc.system.name=grpc] 0 {call}
//! payment rpc.server.call.duration [rpc.method=shop.payment.v1.PaymentService/Charge, rpc.status_code=OK, rpc.system.name=grpc] count 3, sum 0.0432 s, from 0.0131 s to 0.0164 s
//! ```

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::Key;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use crate::logs::Escaped;
use crate::points::{self, Point, Value};
use crate::semconv;

/// Writes metrics as text.
#[derive(Debug)]
pub(crate) struct MetricsConsole<W = io::Stdout> {
    writer: Mutex<W>,
}

// === impl MetricsConsole ===

impl MetricsConsole {
    /// Writes to stdout: logs go to stderr, so each can be had alone.
    pub(crate) fn stdout() -> Self {
        Self { writer: Mutex::new(io::stdout()) }
    }
}

impl<W: Write + Send + Debug + 'static> PushMetricExporter for MetricsConsole<W> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let service = metrics.resource().get(&Key::from_static_str(semconv::SERVICE_NAME));
        let service = service.map(|name| name.to_string()).unwrap_or_default();
        let mut lines: Vec<_> = points::of(metrics).iter().map(|point| line(&service, point)).collect();
        lines.sort();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = writer.write_all(lines.concat().as_bytes()).and_then(|()| writer.flush());
        written.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
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
    use std::sync::Arc;

    use opentelemetry::KeyValue;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_series_is_a_line() {
        let written = Written::default();
        let console = MetricsConsole { writer: Mutex::new(written.clone()) };
        let provider = SdkMeterProvider::builder()
            .with_resource(Resource::builder_empty().with_service_name("order").build())
            .with_reader(PeriodicReader::builder(console).build())
            .build();
        let meter = provider.meter("test");
        let orders = meter.u64_counter("shop.orders").with_unit("{order}").build();
        orders.add(2, &[KeyValue::new("order.state", "PAID\u{1b}[31m"), KeyValue::new("a", 1)]);
        meter.f64_gauge("temperature").build().record(-1.5, &[]);
        let wait = meter.f64_histogram("wait").with_unit("s").build();
        wait.record(0.25, &[]);
        wait.record(0.5, &[]);
        provider.force_flush().unwrap();
        let expected = r"order shop.orders [a=1, order.state=PAID\u{1b}[31m] 2 {order}
order temperature -1.5
order wait count 2, sum 0.75 s, from 0.25 s to 0.5 s
";
        assert_eq!(String::from_utf8(written.0.lock().unwrap().clone()).unwrap(), expected);
    }
}
