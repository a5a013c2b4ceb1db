use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use crate::environment::Environment;
use crate::sampling::{Sampler, Sampling};
use crate::semconv;

/// Who emits: the resource that every span and log of a service carries, and which of its traces are sampled.
#[derive(Clone, Debug)]
pub struct Service {
    name: String,
    version: String,
    namespace: Option<String>,
    sampling: Sampling,
}

// === impl Service ===

impl Service {
    /// A service by its `service.name` and `service.version`.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), namespace: None, sampling: Sampling::new() }
    }

    /// Sets `service.namespace`: the system the service belongs to.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), ..self }
    }

    /// Sets which traces are sampled, beside what the environment says of that.
    pub fn sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// What decides which traces are sampled, once the environment has had its say.
    pub(crate) fn sampler(&self, environment: &Environment) -> Sampler {
        self.sampling.sampler(environment)
    }

    /// The `service.name` once the environment has had its say: `OTEL_SERVICE_NAME`, then `service.name` of
    /// `OTEL_RESOURCE_ATTRIBUTES`, then the name given in code.
    pub(crate) fn name<'a>(&'a self, environment: &'a Environment) -> String {
        let listed = || {
            let attributes = environment.resource_attributes();
            attributes.into_iter().find(|(key, _)| key == semconv::SERVICE_NAME).map(|(_, value)| value)
        };
        environment.get("OTEL_SERVICE_NAME").map(str::to_owned).or_else(listed).unwrap_or_else(|| self.name.clone())
    }

    /// The resource: what code says, over it what the environment says, and a fresh instance id.
    pub(crate) fn resource(&self, environment: &Environment) -> Resource {
        let mut attributes = vec![
            KeyValue::new(semconv::SERVICE_VERSION, self.version.clone()),
            KeyValue::new(semconv::SERVICE_INSTANCE_ID, uuid::Uuid::new_v4().to_string()),
            KeyValue::new(semconv::TELEMETRY_SDK_NAME, "opentelemetry"),
            KeyValue::new(semconv::TELEMETRY_SDK_LANGUAGE, "rust"),
            KeyValue::new(semconv::TELEMETRY_SDK_VERSION, "0.33.1"),
            KeyValue::new(semconv::TELEMETRY_DISTRO_NAME, "throughline"),
            KeyValue::new(semconv::TELEMETRY_DISTRO_VERSION, env!("CARGO_PKG_VERSION")),
        ];
        attributes.extend(self.namespace.clone().map(|value| KeyValue::new(semconv::SERVICE_NAMESPACE, value)));
        attributes.extend(environment.resource_attributes().into_iter().map(|(key, value)| KeyValue::new(key, value)));
        attributes.push(KeyValue::new(semconv::SERVICE_NAME, self.name(environment)));
        Resource::builder_empty().with_schema_url(attributes, semconv::SCHEMA_URL).build()
    }
}
