//! True traces for Rust services: every gRPC call, HTTP request and SQL statement is one OpenTelemetry span that ends
//! when the work ends, with the code it ended with, in the trace of its caller.
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
