use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracer;
use tonic::transport::Endpoint;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::bridge;
use crate::database::{Database, DatabaseSystem};
use crate::environment::Environment;
use crate::http_client::HttpClient;
use crate::init::{InitError, propagators};
use crate::pipeline::{Pipeline, Report};
use crate::propagation::Propagation;
use crate::rpc::{RpcClientLayer, RpcServerLayer};
use crate::semconv;
use crate::service::Service;

/// One service's telemetry: what its servers and clients are made observable with. Cheap to clone.
///
/// A value, not a global: a process may hold several, each with its own `service.name`.
#[derive(Clone, Debug)]
pub struct Telemetry {
    tracer: SdkTracer,
    propagation: Propagation,
    pipeline: Arc<Pipeline>,
}

// === impl Telemetry ===

impl Telemetry {
    /// Telemetry that exports by what `environment` says and leaves the process alone: no `tracing` subscriber, no logs.
    /// For a program that brings its own subscriber (see [`tracing_layer`](Self::tracing_layer)), or holds several
    /// services; most want [`init()`](crate::init()).
    ///
    /// # Errors
    /// When the endpoint to export to is no URL. A collector that does not answer is no error.
    pub fn new(service: &Service, environment: &Environment) -> Result<Self, InitError> {
        let (propagation, unknown) = propagators(environment);
        for name in unknown {
            environment.warn("OTEL_PROPAGATORS", &format!("names {name:?}, which is not supported, left out"));
        }
        Ok(Self::of(Pipeline::new(environment, service.resource(environment))?, propagation))
    }

    pub(crate) fn of(pipeline: Pipeline, propagation: Propagation) -> Self {
        let scope = InstrumentationScope::builder("throughline-telemetry")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(semconv::SCHEMA_URL)
            .build();
        let tracer = pipeline.spans().tracer_with_scope(scope);
        Self { tracer, propagation, pipeline: Arc::new(pipeline) }
    }

    /// A tower layer that makes every call taken one SERVER span: `Server::builder().layer(..)`.
    pub fn rpc_server(&self) -> RpcServerLayer {
        RpcServerLayer::new(self.clone())
    }

    /// A tower layer that makes every call made one CLIENT span: `.layer(channel)` for a channel to `endpoint`.
    pub fn rpc_client(&self, endpoint: &Endpoint) -> RpcClientLayer {
        RpcClientLayer::new(self.clone(), endpoint)
    }

    /// Makes every request of `client` one CLIENT span.
    pub fn http_client(&self, client: reqwest::Client) -> HttpClient {
        HttpClient::new(self.clone(), client)
    }

    /// Makes every statement on a database one CLIENT span. `namespace` names the database: for SQLite, its file.
    pub fn database(&self, system: DatabaseSystem, namespace: impl Into<String>) -> Database {
        Database::new(self.tracer.clone(), system, namespace)
    }

    /// The layer that brings `#[tracing::instrument]` spans and events along, for a program that sets up its own
    /// `tracing` subscriber; [`init()`](crate::init()) includes it. Spans outside any call are this service's.
    pub fn tracing_layer<S>(&self) -> impl Layer<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        bridge::layer(self.tracer.clone())
    }

    /// Sends what has ended so far, for at most `limit`. May be called any number of times, on any runtime.
    pub async fn flush(&self, limit: Duration) -> Report {
        self.pipeline.flush(limit).await
    }

    /// Sends what has ended and stops, for at most `limit` in all. Spans that end later are lost.
    pub async fn shutdown(&self, limit: Duration) -> Report {
        self.pipeline.shutdown(limit).await
    }

    pub(crate) fn tracer(&self) -> &SdkTracer {
        &self.tracer
    }

    pub(crate) fn propagation(&self) -> Propagation {
        self.propagation
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }
}
