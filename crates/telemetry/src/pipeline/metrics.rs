use std::time::Duration;

use futures_util::future::{Either, select};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use tokio::runtime::Handle;

use crate::console::MetricsConsole;
use crate::environment::Environment;
use crate::init::InitError;
use crate::pipeline::counted::Counted;
use crate::pipeline::exporter::{Exporter, exporter};
use crate::pipeline::otlp::Otlp;

/// How metrics are collected and exported (OpenTelemetry specification, "Environment Variable Specification").
#[derive(Clone, Copy, Debug, PartialEq)]
struct Settings {
    interval: Duration,
    /// How long one export may take; `None` is the specification's 0, no limit.
    timeout: Option<Duration>,
    temporality: Temporality,
}

/// Gives an export up that takes too long: the reader itself would wait for ever.
#[derive(Debug)]
struct Limited<E> {
    inner: E,
    timeout: Option<Duration>,
    /// Where the timer lives: the reader's thread has none.
    runtime: Handle,
}

/// The provider that the environment asks for, if any.
pub(super) fn provider(
    environment: &Environment,
    resource: Resource,
    runtime: &Handle,
) -> Result<Option<SdkMeterProvider>, InitError> {
    let settings = Settings::of(environment);
    let provider = SdkMeterProvider::builder().with_resource(resource);
    Ok(match exporter(environment, "OTEL_METRICS_EXPORTER") {
        Exporter::None => None,
        Exporter::Console => Some(provider.with_reader(settings.reader(MetricsConsole::stdout(), runtime)).build()),
        Exporter::Otlp => {
            let exporter = Otlp::new(environment, "METRICS")?.metrics(settings.temporality, runtime)?;
            Some(provider.with_reader(settings.reader(exporter, runtime)).build())
        }
    })
}

// === impl Settings ===

impl Settings {
    fn of(environment: &Environment) -> Self {
        let timeout = environment.number("OTEL_METRIC_EXPORT_TIMEOUT", 0, 30_000);
        warn_of_what_is_not_there(environment);
        Self {
            interval: environment.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
            timeout: (timeout > 0).then(|| Duration::from_millis(timeout)),
            temporality: temporality(environment),
        }
    }

    fn reader<E: PushMetricExporter>(self, exporter: E, runtime: &Handle) -> PeriodicReader<Counted<Limited<E>>> {
        let limited = Limited { inner: exporter, timeout: self.timeout, runtime: runtime.clone() };
        PeriodicReader::builder(Counted::new(limited, std::sync::Arc::default(), "metrics"))
            .with_interval(self.interval)
            .build()
    }
}

fn temporality(environment: &Environment) -> Temporality {
    const NAME: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    match environment.get(NAME).map(str::parse) {
        None => Temporality::Cumulative,
        Some(Ok(temporality)) => temporality,
        Some(Err(())) => {
            environment.warn(NAME, "is none of `cumulative`, `delta` and `lowmemory`, taken as `cumulative`");
            Temporality::Cumulative
        }
    }
}

/// Two settings of the specification that the SDK has nothing for.
fn warn_of_what_is_not_there(environment: &Environment) {
    let is_other = |name, only: &str| environment.get(name).is_some_and(|value| !value.eq_ignore_ascii_case(only));
    const EXEMPLARS: &str = "OTEL_METRICS_EXEMPLAR_FILTER";
    if is_other(EXEMPLARS, "always_off") {
        environment.warn(EXEMPLARS, "has no effect, there are no exemplars: taken as `always_off`");
    }
    const AGGREGATION: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    if is_other(AGGREGATION, "explicit_bucket_histogram") {
        environment.warn(AGGREGATION, "is not supported, taken as `explicit_bucket_histogram`");
    }
}

// === impl Limited ===

impl<E: PushMetricExporter> PushMetricExporter for Limited<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let export = self.inner.export(metrics);
        let Some(timeout) = self.timeout else { return export.await };
        let timer = {
            let _guard = self.runtime.enter();
            tokio::time::sleep(timeout)
        };
        match select(std::pin::pin!(export), std::pin::pin!(timer)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(OTelSdkError::Timeout(timeout)),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider;
    use tokio::runtime::Runtime;

    use super::*;

    const DEFAULT: Settings = Settings {
        interval: Duration::from_secs(60),
        timeout: Some(Duration::from_secs(30)),
        temporality: Temporality::Cumulative,
    };

    #[track_caller]
    fn check(name: &str, value: &str, expected: Settings, is_warned: bool) {
        let environment: Environment = [(name, value)].into_iter().collect();
        assert_eq!(Settings::of(&environment), expected, "{name}={value}");
        let warnings = environment.take_warnings();
        assert_eq!(warnings.len(), usize::from(is_warned), "{name}={value}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.starts_with(&format!("{name} "))), "{warnings:?}");
    }

    #[test]
    fn settings_are_read_or_warned_of_once_by_name() {
        const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
        const TIMEOUT: &str = "OTEL_METRIC_EXPORT_TIMEOUT";
        const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        check(INTERVAL, "", DEFAULT, false);
        check(INTERVAL, "250", Settings { interval: Duration::from_millis(250), ..DEFAULT }, false);
        check(TIMEOUT, "250", Settings { timeout: Some(Duration::from_millis(250)), ..DEFAULT }, false);
        check(TIMEOUT, "0", Settings { timeout: None, ..DEFAULT }, false);
        check(TEMPORALITY, "Delta", Settings { temporality: Temporality::Delta, ..DEFAULT }, false);
        check(TEMPORALITY, "LOWMEMORY", Settings { temporality: Temporality::LowMemory, ..DEFAULT }, false);
        check(INTERVAL, "0", DEFAULT, true);
        for bad in ["-1", "NaN", "abc", "1.5"] {
            check(INTERVAL, bad, DEFAULT, true);
            check(TIMEOUT, bad, DEFAULT, true);
            check(TEMPORALITY, bad, DEFAULT, true);
        }
    }

    #[test]
    fn settings_that_the_sdk_has_nothing_for_are_told_of() {
        const EXEMPLARS: &str = "OTEL_METRICS_EXEMPLAR_FILTER";
        check(EXEMPLARS, "trace_based", DEFAULT, true);
        check(EXEMPLARS, "always_off", DEFAULT, false);
        const AGGREGATION: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        check(AGGREGATION, "base2_exponential_bucket_histogram", DEFAULT, true);
        check(AGGREGATION, "explicit_bucket_histogram", DEFAULT, false);
    }

    /// Never answers.
    #[derive(Debug)]
    struct Hanging;

    impl PushMetricExporter for Hanging {
        async fn export(&self, _: &ResourceMetrics) -> OTelSdkResult {
            std::future::pending().await
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
    fn an_export_that_hangs_is_given_up() {
        let runtime = Runtime::new().unwrap();
        let settings = Settings { timeout: Some(Duration::from_millis(10)), ..DEFAULT };
        let provider = SdkMeterProvider::builder().with_reader(settings.reader(Hanging, runtime.handle())).build();
        provider.meter("test").u64_counter("orders").build().add(1, &[]);
        assert!(provider.force_flush().is_err());
    }
}
