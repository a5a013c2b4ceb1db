//! True traces for Rust services: every gRPC call, HTTP request and SQL statement is one OpenTelemetry span that ends
//! when the work ends, with the code it ended with, in the trace of its caller.
//!
//! [`init()`] sets a process up by its `OTEL_*` variables and gives a [`Telemetry`], whose methods make servers, clients
//! and databases observable:
//!
//! ```no_run
//! use telemetry::{Environment, Service};
//! use tonic::transport::{Endpoint, Server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let telemetry = telemetry::init(Service::new("order", "1.0.0"), Environment::from_process())?;
//! let server = Server::builder().layer(telemetry.rpc_server());
//! let payment = Endpoint::from_static("http://127.0.0.1:50052");
//! let channel = telemetry.rpc_client(&payment).layer(payment.connect_lazy());
//! # let _ = (server, channel);
//! # Ok(())
//! # }
//! ```
//!
//! What you get per call:
//!
//! | what happens | what the trace shows |
//! |---|---|
//! | a call is taken or made | one SERVER or CLIENT span, `package.Service/Method`, semantic conventions 1.45 |
//! | it ends: trailers, error, deadline, panic, or nobody waits any more | the span's end, its `rpc.status_code`, and `error.type` where this side calls it a failure |
//! | the caller sent `traceparent` | the same trace, or a new one with a link, as [`TrustTrace`] says |
//! | the handler calls on | the context and what is left of the deadline go along |
//! | a call has a deadline | `grpc.timeout_ms`, an attribute of our own: what was left of it on arrival (SERVER), what was sent along (CLIENT) |
//! | `#[tracing::instrument]` functions, `tracing` events, [`spawn`] | spans and events under the call |
//! | the handler panics | INTERNAL for the caller, with the trace id; an `exception` event for you |
//! | an HTTP request is taken or made | one SERVER or CLIENT span, `GET /orders/{id}`: [`HttpServerLayer`] for axum and others, [`HttpClient`] for reqwest |
//! | a message is sent or consumed | a PRODUCER or CONSUMER span, `process order.events`, linked by the [`MessageContext`] that the message carries: [`Producer`], [`Consumer`] |
//!
//! Spans of calls are started through the OpenTelemetry API and not through `tracing`, so no `RUST_LOG` and no filter
//! breaks a chain. Providers are values: several services in one process keep their own `service.name`.
//!
//! # Metrics
//!
//! Each of them is recorded at the instant that the span ends, with the same duration, code and `error.type`; also of
//! calls that make no span (health, reflection) and of calls that are not sampled:
//!
//! | metric | kind and unit | attributes |
//! |---|---|---|
//! | `rpc.server.call.duration` | histogram, `s` | `rpc.system.name`, `rpc.method`, `rpc.status_code`, `error.type` |
//! | `rpc.client.call.duration` | histogram, `s` | the same, `server.address`, `server.port` |
//! | `rpc.server.active_calls`, `rpc.client.active_calls` | up-down counter, `{call}` | those without the call's end; names of our own, for the conventions have none |
//! | `http.server.request.duration` | histogram, `s` | `http.request.method`, `url.scheme`, `http.route`, `http.response.status_code`, `network.protocol.version`, `error.type` |
//! | `http.server.active_requests` | up-down counter, `{request}` | `http.request.method`, `url.scheme` |
//! | `http.client.request.duration` | histogram, `s` | `http.request.method`, `server.address`, `server.port`, `http.response.status_code`, `network.protocol.version`, `error.type` |
//! | `http.client.active_requests` | up-down counter, `{request}` | `http.request.method`, `server.address`, `server.port`, `url.template` |
//! | `db.client.operation.duration` | histogram, `s` | `db.system.name`, `db.namespace`, `db.query.summary`, `db.response.status_code`, `error.type` |
//! | `messaging.client.operation.duration`, `messaging.process.duration` | histogram, `s` | `messaging.system`, `messaging.operation.name`, `messaging.operation.type`, `messaging.destination.name`, `messaging.consumer.group.name`, `server.address`, `server.port`, `error.type` |
//! | `messaging.client.sent.messages`, `messaging.client.consumed.messages` | counter, `{message}` | the same without `messaging.operation.type` |
//! | your own | [`Counter`], [`UpDownCounter`], [`Histogram`], [`Gauge`] | see [`Metric`] for an example |
//!
//! Names, units, buckets and attributes are those of the semantic conventions 1.45 (`docs/rpc/rpc-metrics.md`,
//! `docs/http/http-metrics.md`, `docs/db/database-metrics.md`, `docs/messaging/messaging-metrics.md`). What callers invent
//! makes no series: a method that the server does not have is `_OTHER` ([`RpcServerLayer::methods`]), so is an HTTP method
//! that `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` (RFC 9110's, PATCH and QUERY) does not list, a path without a route is
//! none, and no metric of a server names the host it was called by.
//!
//! They leave every `OTEL_METRIC_EXPORT_INTERVAL` (60000 ms), by OTLP/gRPC, or as `OTEL_METRICS_EXPORTER` says to stdout
//! (`console`) or not at all (`none`), which also costs calls nothing. One export takes at most
//! `OTEL_METRIC_EXPORT_TIMEOUT` (30000 ms, 0 is no limit). `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, `_HEADERS` and `_TIMEOUT`
//! go before the general ones; `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` is `cumulative`, `delta` or
//! `lowmemory`.
//!
//! There are no exemplars, the trace ids that a metric may hold as examples: the SDK (0.33) has no reservoir that would
//! pick any, every data point that it makes has an empty list of them, and exporters cannot add to it.
//! `OTEL_METRICS_EXEMPLAR_FILTER` is therefore warned of unless it is `always_off`. The way from a metric to a trace is by
//! what both say: service, `rpc.method`, `rpc.status_code` and the time.
//!
//! # Errors and secrets
//!
//! An error is told once in a call, as a log record and an event of the span, whether the handler tells of it
//! ([`record_exception`]) or answers with a status whose source it is. `OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN=logs` keeps the
//! log record only.
//!
//! What others send is shown by list: metadata and headers as `capture_request_headers` and `capture_response_headers` of
//! each layer say, and of those none whose name is a secret's (`authorization`, `cookie`, `x-api-key`, `*token*`,
//! `*secret*`, `*password*`, ..), listed or not. URLs lose their credentials and the values of such parameters, SQL its
//! literals. What of one's own must not be shown is a [`Secret`].
//!
//! Names that callers invent are cut to 256 characters, other texts from outside to 4096;
//! `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` and `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT` cut every attribute of a span (no limit),
//! `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` or `OTEL_ATTRIBUTE_COUNT_LIMIT` how many there are (128).
//!
//! # Propagation and tests
//!
//! For propagation without spans there are tonic interceptors, [`ExtractContext`] and [`InjectContext`]. For tests, the
//! feature `testing` collects spans, metrics and log records without globals and compares whole trees.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod environment;
mod service;
mod clock;
mod init;
mod handle;
mod rule;
mod trust;
mod sampling;
mod deadline;
mod scope;
mod propagation;
mod rpc;
mod http_method;
mod http_client;
mod http_server;
mod messaging;
mod database;
mod metrics;
mod bridge;
mod logs;
mod pipeline;
mod console;
mod points;
mod semconv;
mod error_chain;
mod exception;
mod attributes;
mod repeated;
mod limits;
mod secret;
mod sensitive;
mod capture;
#[cfg(feature = "testing")]
pub mod testing;

pub use database::{Database, DatabaseSystem, Traced, Transaction};
pub use deadline::Deadline;
pub use environment::Environment;
pub use exception::{Exception, record_exception};
pub use handle::Telemetry;
pub use http_client::{HttpCall, HttpClient, Propagate};
pub use http_server::{HttpResponseBody, HttpResponseFuture, HttpServer, HttpServerLayer, ProxyHeaders};
pub use init::{InitError, init};
pub use messaging::{Consumer, MessageContext, MessageOperation, Producer};
pub use metrics::{Attribute, Counter, Gauge, Histogram, InFlight, Metric, UpDownCounter};
pub use pipeline::Report;
pub use propagation::{
    ExtractContext, InContext, InjectContext, MetadataExtractor, MetadataInjector, Propagation, context_of, in_context,
};
pub use rpc::{ResponseBody, ResponseFuture, RpcClient, RpcClientLayer, RpcServer, RpcServerLayer};
pub use sampling::{Decided, MethodShare, Recorded, Sample, Sampling, SamplingReport, SamplingRule, SamplingSettings};
pub use scope::{AttributeValue, set_attribute, spawn, spawn_detached, trace_id};
pub use secret::Secret;
pub use service::Service;
pub use trust::{TrustTrace, UnknownTrust};

/// A traced channel: what generated clients are made of.
pub type RpcChannel = RpcClient<tonic::transport::Channel>;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
