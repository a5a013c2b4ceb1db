use std::time::Duration;

use http::HeaderMap;
use reqwest::Url;
use tokio::runtime::Handle;
use tonic::metadata::MetadataMap;

use crate::environment::Environment;
use crate::pipeline::sender::Sender;
use crate::pipeline::signal::Signal;
use crate::secret::Secret;

mod variables;
mod protocol;
mod endpoint;
mod headers;
mod tls;

pub(super) use protocol::Protocol;
pub(super) use tls::Tls;
use variables::Variables;

/// Where and how one signal is exported (OpenTelemetry specification, "OpenTelemetry Protocol Exporter").
///
/// There is always an answer: what cannot be used is warned of, and the default holds.
#[derive(Debug)]
pub(crate) struct Otlp {
    pub(super) signal: Signal,
    pub(super) protocol: Protocol,
    /// Secret, for there may be a password in it.
    pub(super) url: Secret<Url>,
    /// How long one request may take with all its attempts, if there is a limit.
    pub(super) limit: Option<Duration>,
    /// Their values are marked as sensitive.
    pub(super) headers: HeaderMap,
    pub(super) is_gzip: bool,
    pub(super) tls: Tls,
}

// === impl Otlp ===

impl Otlp {
    /// The settings of `signal`: its own variables, else those of all signals, else the defaults.
    pub(crate) fn of(environment: &Environment, signal: Signal) -> Self {
        let variables = Variables::new(environment, signal);
        let protocol = Protocol::of(&variables);
        Self {
            signal,
            protocol,
            url: Secret::new(endpoint::url(&variables, protocol)),
            limit: environment.limit(&variables.name("TIMEOUT"), 10_000),
            headers: headers::headers(&variables),
            is_gzip: is_gzip(&variables),
            tls: Tls::of(&variables),
        }
    }

    /// What sends such requests, over connections that live on `runtime`.
    pub(crate) fn sender(&self, runtime: &Handle) -> Sender {
        Sender::new(self, runtime)
    }

    pub(super) fn metadata(&self) -> MetadataMap {
        MetadataMap::from_headers(self.headers.clone())
    }
}

fn is_gzip(variables: &Variables<'_>) -> bool {
    match variables.lower_case("COMPRESSION").as_str() {
        "" | "none" => false,
        "gzip" => true,
        _ => {
            variables.warn("COMPRESSION", "is neither `gzip` nor `none`, taken as `none`");
            false
        }
    }
}

#[cfg(test)]
mod tests;
