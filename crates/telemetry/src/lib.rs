//! True traces for Rust services: every gRPC call, HTTP request and SQL statement is one OpenTelemetry span that ends
//! when the work ends, with the code it ended with, in the trace of its caller.
//!
//! One call sets a process up by its `OTEL_*` variables, a layer around the server and one around each client do the rest.
#![doc = ""]
#![doc = include_str!("manual.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod lock;
mod environment;
mod unsupported;
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
mod job;
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
pub use pipeline::{Account, Dropped, ExportState, ExportStatus, Exported, Lost, Replayed, Report, SpoolStatus};
pub use propagation::{
    ExtractContext, InContext, InjectContext, MetadataExtractor, MetadataInjector, Propagation, context_of, in_context,
};
pub use rpc::{ResponseBody, ResponseFuture, RpcClient, RpcClientLayer, RpcServer, RpcServerLayer};
pub use sampling::{Decided, MethodShare, Recorded, Sample, Sampling, SamplingReport, SamplingRule, SamplingSettings};
pub use scope::{AttributeValue, is_recorded, set_attribute, set_attributes, spawn, spawn_detached, trace_id};
pub use secret::Secret;
pub use service::Service;
pub use trust::{TrustTrace, UnknownTrust};

/// A traced channel: what generated clients are made of.
pub type RpcChannel = RpcClient<tonic::transport::Channel>;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
