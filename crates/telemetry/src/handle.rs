use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::{SpanBuilder, SpanContext, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tonic::transport::Endpoint;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::bridge;
use crate::database::{Database, DatabaseSystem};
use crate::environment::Environment;
use crate::http_client::HttpClient;
use crate::http_method::KnownMethods;
use crate::http_server::HttpServerLayer;
use crate::init::{InitError, propagators};
use crate::messaging::{Consumer, Producer};
use crate::metrics::{Counter, Gauge, Histogram, Metric, UpDownCounter};
use crate::pipeline::{ExportStatus, Pipeline, Report};
use crate::propagation::{Caller, Propagation};
use crate::rpc::{RpcClientLayer, RpcServerLayer};
use crate::sampling::SamplingReport;
use crate::scope::{self, Owner};
use crate::semconv;
use crate::service::Service;
use crate::unsupported;

/// One service's telemetry: what its servers and clients are made observable with. Cheap to clone.
///
/// A value, not a global: a process may hold several, each with its own `service.name`.
#[derive(Clone, Debug)]
pub struct Telemetry {
    tracer: SdkTracer,
    /// What the contexts of all calls are made from: it says that they are this service's.
    base: Context,
    /// `None` where there are no metrics.
    meter: Option<Meter>,
    propagation: Propagation,
    http_methods: KnownMethods,
    pipeline: Arc<Pipeline>,
}

// === impl Telemetry ===

impl Telemetry {
    /// Telemetry that exports by what `environment` says and leaves the process alone: no `tracing` subscriber, no logs.
    /// For a program that brings its own subscriber (see [`tracing_layer`](Self::tracing_layer)), or holds several
    /// services; most want [`init()`](crate::init()).
    ///
    /// # Errors
    /// When there is no thread to export from. A wrong value of a variable is none: it is told of with a warning, once the
    /// process has a subscriber (on stderr after ten seconds without one), and the default stands. Nor is a collector that does not answer.
    pub fn new(service: &Service, environment: &Environment) -> Result<Self, InitError> {
        let telemetry = Self::untold(service, environment)?;
        telemetry.pipeline.tell(environment.take_warnings());
        Ok(telemetry)
    }

    /// The same, but what there is to warn of is still to be told.
    pub(crate) fn untold(service: &Service, environment: &Environment) -> Result<Self, InitError> {
        unsupported::warn(environment);
        let propagation = propagators(environment);
        let (name, resource) = (service.name(environment), service.resource(environment));
        let pipeline = Pipeline::new(environment, &name, resource, service.sampler(environment))?;
        Ok(Self::of(pipeline, propagation, KnownMethods::of(environment)))
    }

    pub(crate) fn of(pipeline: Pipeline, propagation: Propagation, http_methods: KnownMethods) -> Self {
        let scope = InstrumentationScope::builder("throughline-telemetry")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(semconv::SCHEMA_URL)
            .build();
        let meter = pipeline.metrics().map(|metrics| metrics.meter_with_scope(scope.clone()));
        let tracer = pipeline.spans().tracer_with_scope(scope);
        let base = Context::new().with_value(Owner(tracer.clone()));
        Self { tracer, base, meter, propagation, http_methods, pipeline: Arc::new(pipeline) }
    }

    /// A tower layer that makes every call taken one SERVER span and one duration: `Server::builder().layer(..)`.
    pub fn rpc_server(&self) -> RpcServerLayer {
        RpcServerLayer::new(self.clone())
    }

    /// A tower layer that makes every call made one CLIENT span and one duration: `.layer(channel)` for a channel to
    /// `endpoint`.
    pub fn rpc_client(&self, endpoint: &Endpoint) -> RpcClientLayer {
        RpcClientLayer::new(self.clone(), endpoint)
    }

    /// A tower layer that makes every HTTP request taken one SERVER span and one duration: `Router::layer(..)`.
    pub fn http_server(&self) -> HttpServerLayer {
        HttpServerLayer::new(self.clone())
    }

    /// Makes every request of `client` one CLIENT span and one duration.
    pub fn http_client(&self, client: reqwest::Client) -> HttpClient {
        HttpClient::new(self.clone(), client)
    }

    /// Makes what is sent to `destination`, a topic or a queue of `system`, PRODUCER spans and durations. `system` is
    /// `kafka`, `rabbitmq`, `aws_sqs`, .. or a name of one's own, such as `outbox`. There must be few destinations: they
    /// are part of names and series.
    pub fn producer(&self, system: impl Into<Arc<str>>, destination: impl Into<Arc<str>>) -> Producer {
        Producer::new(self.clone(), system, destination)
    }

    /// Makes what comes from `destination` CONSUMER spans and durations: see [`producer`](Self::producer).
    pub fn consumer(&self, system: impl Into<Arc<str>>, destination: impl Into<Arc<str>>) -> Consumer {
        Consumer::new(self.clone(), system, destination)
    }

    /// Makes every statement on a database one CLIENT span and one duration.
    ///
    /// `namespace` names the database: for SQLite its file, without a path, for PostgreSQL `database|schema`, as
    /// [`DatabaseSystem`] says. It is what the connections begin with: a later `SET search_path` does not change it.
    pub fn database(&self, system: DatabaseSystem, namespace: impl Into<String>) -> Database {
        Database::new(self, system, namespace)
    }

    /// A counter of what happens in the service's own domain, which only goes up.
    ///
    /// # Panics
    /// If `metric` has a name or a unit that OpenTelemetry does not allow, as its other three do.
    pub fn counter(&self, metric: Metric) -> Counter {
        Counter::new(self.meter.as_ref(), metric)
    }

    /// A counter of what there is, which goes up and down.
    ///
    /// # Panics
    /// As [`counter`](Self::counter).
    pub fn up_down_counter(&self, metric: Metric) -> UpDownCounter {
        UpDownCounter::new(self.meter.as_ref(), metric)
    }

    /// A distribution of values, counted in the buckets between `boundaries`.
    ///
    /// # Panics
    /// As [`counter`](Self::counter), and if `boundaries` are not numbers that increase.
    pub fn histogram(&self, metric: Metric, boundaries: &[f64]) -> Histogram {
        Histogram::new(self.meter.as_ref(), metric, boundaries)
    }

    /// A value that is measured now and then, of which the last counts.
    ///
    /// # Panics
    /// As [`counter`](Self::counter).
    pub fn gauge(&self, metric: Metric) -> Gauge {
        Gauge::new(self.meter.as_ref(), metric)
    }

    /// The layer that brings `#[tracing::instrument]` spans and events along, for a program that sets up its own
    /// `tracing` subscriber; [`init()`](crate::init()) includes it. Spans outside any call are this service's.
    ///
    /// Below a call that is not recorded no span of INFO and above is made, for no layer of the subscriber: its fields are not
    /// evaluated, logs do not show it, and it carries no context. A task that is to stay part of such a call is spawned with
    /// [`spawn`](crate::spawn); with `in_current_span` alone it would begin a trace of its own.
    pub fn tracing_layer<S>(&self) -> impl Layer<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        bridge::layer(self.tracer.clone())
    }

    /// What makes spans for libraries that use OpenTelemetry's own API:
    /// `opentelemetry::global::set_tracer_provider(telemetry.tracer_provider())`, of `opentelemetry` 0.33. They are sampled,
    /// counted and exported with all others, and stand below the call in which they are made. Leave it to
    /// [`shutdown`](Self::shutdown) to shut it down.
    pub fn tracer_provider(&self) -> SdkTracerProvider {
        self.pipeline.spans().clone()
    }

    /// What decides of the service's traces, and what was decided so far and why.
    pub fn sampling(&self) -> SamplingReport {
        self.pipeline.sampler().report()
    }

    /// How exporting goes, and what became of all that was told so far.
    pub fn exports(&self) -> ExportStatus {
        self.pipeline.status()
    }

    /// The same as metrics in Prometheus's text format, which a server can answer as `text/plain; version=0.0.4`. Under the
    /// names of the conventions for an SDK's own metrics, such as `otel_sdk_exporter_span_exported_total`.
    pub fn export_metrics(&self) -> String {
        self.pipeline.prometheus()
    }

    /// What became of all that was told so far.
    pub fn report(&self) -> Report {
        self.pipeline.report()
    }

    /// Sends what has ended and been measured so far, for at most `limit`. May be called any number of times, on any runtime.
    pub async fn flush(&self, limit: Duration) -> Report {
        self.pipeline.flush(limit).await
    }

    /// Sends what has ended and been measured and stops, for at most `limit` in all. What comes later is lost.
    pub async fn shutdown(&self, limit: Duration) -> Report {
        self.pipeline.shutdown(limit).await
    }

    /// Starts a span as a child of the one in `parent`. `span` makes it, which costs most, and is asked for only if the span
    /// is recorded; `other_name` is what sampling rules may call it by beside its name.
    pub(crate) fn start(
        &self,
        parent: &Context,
        name: &str,
        other_name: Option<&str>,
        span: impl FnOnce() -> SpanBuilder,
    ) -> Context {
        if parent.is_telemetry_suppressed() {
            return parent.with_remote_span_context(SpanContext::NONE);
        }
        if self.pipeline.sampler().is_disabled() {
            return parent.clone();
        }
        let current = parent.span();
        let decided = self.pipeline.sampler().decide(current.span_context(), current.is_recording(), name, other_name);
        if decided.is_recorded() {
            let span = span();
            parent.with_span(decided.build(|| self.tracer.build_with_context(span, parent)))
        } else if scope::is_unrecorded(parent) {
            // It is the same to all below which of two spans it is that is not recorded.
            parent.clone()
        } else {
            parent.with_remote_span_context(decided.into_context())
        }
    }

    /// The same for a server, below the span of its caller.
    pub(crate) fn start_for(
        &self,
        caller: Caller,
        name: &str,
        other_name: Option<&str>,
        span: impl FnOnce() -> SpanBuilder,
    ) -> Context {
        if self.pipeline.sampler().is_disabled() {
            return caller.context(&self.base);
        }
        let decided = self.pipeline.sampler().decide(&caller.span(), false, name, other_name);
        if decided.is_recorded() {
            let (span, parent) = (span(), caller.context(&self.base));
            parent.with_span(decided.build(|| self.tracer.build_with_context(span, &parent)))
        } else {
            caller.context_of(decided.into_context(), &self.base)
        }
    }

    /// The context of whatever belongs to this service and to no call yet.
    pub(crate) fn base(&self) -> &Context {
        &self.base
    }

    pub(crate) fn tracer(&self) -> &SdkTracer {
        &self.tracer
    }

    pub(crate) fn meter(&self) -> Option<&Meter> {
        self.meter.as_ref()
    }

    pub(crate) fn propagation(&self) -> Propagation {
        self.propagation
    }

    pub(crate) fn http_methods(&self) -> &KnownMethods {
        &self.http_methods
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }
}
