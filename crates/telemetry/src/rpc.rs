//! gRPC calls as spans: one tower layer a side, one state machine for both.

mod client;
mod server;
mod future;
mod request_body;
mod body;
mod call;
mod outcome;
mod methods;

pub use body::ResponseBody;
pub use client::{RpcClient, RpcClientLayer};
pub use future::ResponseFuture;
pub use server::{RpcServer, RpcServerLayer};
