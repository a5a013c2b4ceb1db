use std::fmt;
use std::sync::atomic::Ordering;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing_subscriber::filter::{FilterExt, dynamic_filter_fn};
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
    /// The named variable holds no URL to export to.
    #[error("{0} is not a URL such as http://localhost:4317, with its http:// or https://")]
    Endpoint(String),
    /// The exporter cannot work with its settings.
    #[error("the OTLP exporter cannot be built: {0}")]
    Exporter(String),
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
/// When the endpoint to export to is no URL, or a `tracing` subscriber is installed already. A collector that does not
/// answer is no error: exporting begins when it does.
pub fn init(service: Service, environment: Environment) -> Result<Telemetry, InitError> {
    let telemetry = Telemetry::new(&service, &environment)?;
    // What is logged after a shutdown stands on stderr only; the exporter would complain of each record.
    let is_open = telemetry.pipeline().is_open();
    let exported_logs = telemetry.pipeline().logs().map(OpenTelemetryTracingBridge::new).map(|layer| {
        let while_open = dynamic_filter_fn(move |_, _| is_open.load(Ordering::Relaxed));
        layer.with_filter(while_open.and(bridge::exported_events()))
    });
    let (to_stderr, bad_filter) =
        logs::layer(&service.name(&environment), environment.get("RUST_LOG").unwrap_or_default());
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

/// The propagators that `OTEL_PROPAGATORS` names, and the names that mean nothing.
pub(crate) fn propagators(environment: &Environment) -> (Propagation, Vec<String>) {
    match environment.get("OTEL_PROPAGATORS") {
        Some(names) => Propagation::from_names(names),
        None => (Propagation::default(), Vec::new()),
    }
}
