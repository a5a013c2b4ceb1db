use std::str::FromStr;
use std::time::Duration;

use http::uri::Scheme;
use opentelemetry_otlp::{LogExporter, MetricExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::metrics::Temporality;
use tokio::runtime::Handle;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{ClientTlsConfig, Endpoint};

use crate::environment::Environment;
use crate::error_chain::error_chain;
use crate::init::InitError;
use crate::pipeline::sender::Sender;

/// Who sends (OTLP exporter specification, "User Agent").
const USER_AGENT: &str = concat!("throughline-telemetry/", env!("CARGO_PKG_VERSION"));

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon a connection is known to be dead: nothing else tells of a peer that has vanished.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Where and how one signal is exported: its own variable, else the general one, else the default
/// (OpenTelemetry specification, "OpenTelemetry Protocol Exporter").
pub(crate) struct Otlp {
    endpoint: String,
    timeout: Duration,
    headers: MetadataMap,
}

// === impl Otlp ===

impl Otlp {
    /// The settings of `signal`, which is `TRACES`, `LOGS` or `METRICS`.
    pub(crate) fn new(environment: &Environment, signal: &str) -> Result<Self, InitError> {
        let name = |what: &str| {
            let own = format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
            if environment.get(&own).is_some() { own } else { format!("OTEL_EXPORTER_OTLP_{what}") }
        };
        let protocol = name("PROTOCOL");
        if environment.get(&protocol).is_some_and(|value| !value.eq_ignore_ascii_case("grpc")) {
            environment.warn(&protocol, "names a protocol that is not supported, taken as `grpc`");
        }
        let endpoint_name = name("ENDPOINT");
        let endpoint = environment.get(&endpoint_name).unwrap_or("http://localhost:4317").to_owned();
        if http::Uri::from_str(&endpoint).ok().is_none_or(|uri| uri.host().is_none() || uri.scheme().is_none()) {
            return Err(InitError::Endpoint(endpoint_name));
        }
        let timeout = match environment.number(&name("TIMEOUT"), 0, 10_000) {
            // The specification's "no limit"; the exporter would take it for "at once".
            0 => Duration::from_secs(u64::from(u32::MAX)),
            milliseconds => Duration::from_millis(milliseconds),
        };
        Ok(Self { endpoint, timeout, headers: headers(environment, &name("HEADERS")) })
    }

    /// How the connection is encrypted, if the endpoint wants it to be: whom the system trusts is trusted.
    fn tls(&self) -> Option<ClientTlsConfig> {
        let uri = http::Uri::from_str(&self.endpoint).ok()?;
        (uri.scheme() == Some(&Scheme::HTTPS)).then(|| ClientTlsConfig::new().with_native_roots())
    }

    /// What sends spans, over a connection that lives on `runtime`.
    pub(super) fn sender(self, runtime: &Handle) -> Result<Sender, InitError> {
        let failed = |error: tonic::transport::Error| InitError::Exporter(error_chain(&error));
        let tls = self.tls();
        let mut endpoint = Endpoint::from_shared(self.endpoint)
            .and_then(|endpoint| endpoint.user_agent(USER_AGENT))
            .map_err(failed)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        if let Some(tls) = tls {
            endpoint = endpoint.tls_config(tls).map_err(failed)?;
        }
        let _guard = runtime.enter();
        Ok(Sender::new(&endpoint, self.headers, self.timeout))
    }

    /// An exporter of log records whose connection lives on `runtime`.
    pub(crate) fn logs(self, runtime: &Handle) -> Result<LogExporter, InitError> {
        let _guard = runtime.enter();
        let mut builder = LogExporter::builder().with_tonic();
        if let Some(tls) = self.tls() {
            builder = builder.with_tls_config(tls);
        }
        let builder = builder.with_endpoint(self.endpoint).with_timeout(self.timeout).with_metadata(self.headers);
        builder.build().map_err(|error| InitError::Exporter(error.to_string()))
    }

    /// An exporter of metrics whose connection lives on `runtime`.
    pub(crate) fn metrics(self, temporality: Temporality, runtime: &Handle) -> Result<MetricExporter, InitError> {
        let _guard = runtime.enter();
        let mut builder = MetricExporter::builder().with_tonic().with_temporality(temporality);
        if let Some(tls) = self.tls() {
            builder = builder.with_tls_config(tls);
        }
        let builder = builder.with_endpoint(self.endpoint).with_timeout(self.timeout).with_metadata(self.headers);
        builder.build().map_err(|error| InitError::Exporter(error.to_string()))
    }
}

/// The headers to send along. Their values are secrets: they appear in no message.
fn headers(environment: &Environment, name: &str) -> MetadataMap {
    let mut headers = MetadataMap::new();
    let Some(pairs) = environment.pairs(name) else {
        environment.warn(name, "is not a list of key=value pairs, ignored");
        return headers;
    };
    for (key, value) in pairs {
        match (MetadataKey::from_str(&key.to_ascii_lowercase()), MetadataValue::try_from(value)) {
            (Ok(key), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(key, value);
            }
            _ => environment.warn(name, "holds a pair that is no header, left out"),
        }
    }
    headers
}
