use std::fmt;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::environment::Environment;
use crate::error_chain::error_chain;
use crate::handle::Telemetry;
use crate::propagation::Propagation;
use crate::service::Service;
use crate::{bridge, logs};

/// Why telemetry could not be set up. Its `Debug` is its text as well, which is what a `main` that fails with it prints.
#[derive(thiserror::Error)]
pub enum InitError {
    /// The threads to export from could not be started.
    #[error("the export runtime cannot be started")]
    Runtime(#[source] std::io::Error),
    /// Something else has set the process's `tracing` subscriber already.
    #[error("a tracing subscriber is installed already")]
    Subscriber(#[source] TryInitError),
}

impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_chain(self))
    }
}

/// Sets up the process's telemetry: exports by what `environment` says, logs to stderr, and brings `tracing` spans,
/// events and `log` records along.
///
/// # Errors
/// When a `tracing` subscriber is installed already. A collector that does not answer is no error: exporting begins when
/// it does.
pub fn init(service: Service, environment: Environment) -> Result<Telemetry, InitError> {
    let telemetry = Telemetry::untold(&service, &environment)?;
    let exported_logs = telemetry.pipeline().logs().map(OpenTelemetryTracingBridge::new);
    let exported_logs = exported_logs.map(|layer| layer.with_filter(bridge::exported_events()));
    let filter = environment.get("RUST_LOG").unwrap_or_default();
    let (to_stderr, bad_filter) = logs::layer(&service.name(&environment), filter, own_level(&environment));
    tracing_subscriber::registry()
        .with(to_stderr)
        .with(telemetry.tracing_layer())
        .with(exported_logs)
        .try_init()
        .map_err(InitError::Subscriber)?;
    logs::bridge_log_crate();

    if bad_filter.is_some() {
        environment.warn("RUST_LOG", "is not a filter such as `info,order=debug`, taken as `info`");
    }
    for warning in environment.take_warnings() {
        tracing::warn!("{warning}");
    }
    Ok(telemetry)
}

/// The level of what telemetry tells of itself, if the environment says.
fn own_level(environment: &Environment) -> Option<LevelFilter> {
    const NAME: &str = "OTEL_LOG_LEVEL";
    let level = match environment.get(NAME)?.to_ascii_lowercase().as_str() {
        "none" => Ok(LevelFilter::OFF),
        "warning" => Ok(LevelFilter::WARN),
        level => level.parse(),
    };
    if level.is_err() {
        environment.warn(NAME, "is none of `none`, `error`, `warn`, `info`, `debug` and `trace`, ignored");
    }
    level.ok()
}

/// The propagators that `OTEL_PROPAGATORS` names.
pub(crate) fn propagators(environment: &Environment) -> Propagation {
    const NAME: &str = "OTEL_PROPAGATORS";
    let Some(names) = environment.get(NAME) else { return Propagation::default() };
    let (propagation, unknown) = Propagation::from_names(names);
    if !unknown.is_empty() {
        environment.warn(NAME, "names others than `tracecontext`, `baggage` and `none`, left out");
    }
    propagation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_telemetry_itself_is_read_in_any_case_or_warned_of() {
        for (value, expected, warnings) in [
            ("", None, 0),
            ("none", Some(LevelFilter::OFF), 0),
            ("Warning", Some(LevelFilter::WARN), 0),
            ("DEBUG", Some(LevelFilter::DEBUG), 0),
            ("loud", None, 1),
        ] {
            let environment: Environment = [("OTEL_LOG_LEVEL", value)].into_iter().collect();
            assert_eq!(own_level(&environment), expected, "{value}");
            assert_eq!(environment.take_warnings().len(), warnings, "{value}");
        }
    }
}
