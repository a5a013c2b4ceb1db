//! gRPC calls as spans and metrics: one tower layer a side, one state machine for both.

mod client;
mod server;
mod future;
mod request_body;
mod body;
mod call;
mod outcome;
mod names;
mod methods;
mod metrics;

pub(crate) use outcome::code_name;

pub use body::ResponseBody;
pub use client::{RpcClient, RpcClientLayer};
pub use future::ResponseFuture;
pub use server::{RpcServer, RpcServerLayer};
