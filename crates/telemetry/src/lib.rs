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
//!
//! Spans of calls are started through the OpenTelemetry API and not through `tracing`, so no `RUST_LOG` and no filter
//! breaks a chain. Providers are values: several services in one process keep their own `service.name`.
//!
//! For propagation without spans there are tonic interceptors, [`ExtractContext`] and [`InjectContext`]. For tests, the
//! feature `testing` collects spans without globals and compares whole trees.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod environment;
mod service;
mod init;
mod handle;
mod trust;
mod deadline;
mod scope;
mod propagation;
mod rpc;
mod http_client;
mod database;
mod bridge;
mod logs;
mod pipeline;
mod console;
mod semconv;
mod error_chain;
mod attributes;
#[cfg(feature = "testing")]
pub mod testing;

pub use database::{Database, DatabaseSystem, Traced, Transaction};
pub use deadline::Deadline;
pub use environment::Environment;
pub use handle::Telemetry;
pub use http_client::{HttpCall, HttpClient, Propagate};
pub use init::{InitError, init};
pub use pipeline::Report;
pub use propagation::{
    ExtractContext, InContext, InjectContext, MetadataExtractor, MetadataInjector, Propagation, context_of, in_context,
};
pub use rpc::{ResponseBody, ResponseFuture, RpcClient, RpcClientLayer, RpcServer, RpcServerLayer};
pub use scope::{AttributeValue, set_attribute, spawn, spawn_detached, trace_id};
pub use service::Service;
pub use trust::{TrustTrace, UnknownTrust};

/// A traced channel: what generated clients are made of.
pub type RpcChannel = RpcClient<tonic::transport::Channel>;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
