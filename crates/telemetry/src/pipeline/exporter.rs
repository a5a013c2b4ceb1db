use super::signal::Signal;
use crate::environment::Environment;

/// What a signal's `OTEL_*_EXPORTER` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exporter {
    Otlp,
    Console,
    None,
}

/// The exporter that the environment chooses for a signal: none if the SDK is disabled.
pub(super) fn exporter(environment: &Environment, signal: Signal) -> Exporter {
    if environment.is_true("OTEL_SDK_DISABLED") {
        return Exporter::None;
    }
    let name = match signal {
        Signal::Traces => "OTEL_TRACES_EXPORTER",
        Signal::Logs => "OTEL_LOGS_EXPORTER",
        Signal::Metrics => "OTEL_METRICS_EXPORTER",
    };
    match environment.get(name).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "otlp" => Exporter::Otlp,
        // Log records stand on stderr already.
        "console" if signal == Signal::Logs => Exporter::None,
        "console" => Exporter::Console,
        "none" => Exporter::None,
        _ => {
            environment.warn(name, "is none of `otlp`, `console` and `none`, taken as `otlp`");
            Exporter::Otlp
        }
    }
}
