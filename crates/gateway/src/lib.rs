//! The gateway: the shop's public API. It hands each call to the order service and its answer back.
//!
//! A call goes through `rpc` (parse, act, answer), `wire` (the public contract's messages to the order service's) and
//! `upstream` (the order service's client). `error` is the only place where a failure becomes a status.
//!
//! What it promises:
//!
//! - **What the order service tells its caller reaches the caller**: the code, the message and the details of a refusal,
//!   and `idempotent-replayed`, on success and on error. No other header does.
//! - **What it does not tell its caller stays inside**: any other failure is INTERNAL with the trace's id, and a cause
//!   that is logged here.
//! - **An order service that does not answer** is UNAVAILABLE with a `RetryInfo`: the same idempotency key may be sent
//!   again.
//! - **A trace can be kept whatever the sampling says**: where callers are trusted, `x-demo-keep: 1` sets `demo.keep` on
//!   the call's span.
//! - **Every answer has its trace** in `traceresponse` and `x-trace-id`, errors included (`server` sees to that).
#![forbid(unsafe_code)]

mod config;
mod keep;
mod rpc;
mod wire;
mod upstream;
mod error;

use proto::gateway::v1::shop_service_server::{SERVICE_NAME, ShopServiceServer};
use server::Check;
use telemetry::Telemetry;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;

use crate::keep::Keep;
use crate::rpc::Rpc;
use crate::upstream::Upstream;

pub use crate::config::Config;
pub use crate::error::Error;

/// More than any request of the contract needs.
const LARGEST_REQUEST: usize = 64 * 1024;

/// More than a page of the most and longest orders takes.
const LARGEST_ANSWER: usize = 2 * 1024 * 1024;

/// Serves the shop's API until `shutdown` resolves, then drains.
///
/// # Errors
/// When serving fails. Calls that fail are answered.
pub async fn serve(
    listeners: server::Listeners,
    config: Config,
    telemetry: Telemetry,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let order = upstream::channel(config.order, &telemetry);
    let rpc = ShopServiceServer::new(Rpc { upstream: Upstream::new(order.clone()) })
        .max_decoding_message_size(LARGEST_REQUEST)
        .max_encoding_message_size(LARGEST_ANSWER);
    let rpc = InterceptedService::new(rpc, Keep { trust: config.trust_trace });
    let service = server::Service {
        name: SERVICE_NAME,
        descriptors: proto::gateway::DESCRIPTORS,
        routes: Routes::new(rpc),
        trust: config.trust_trace,
        checks: vec![Check::upstream("order", order)],
    };
    server::serve(listeners, service, &config.server, &telemetry, shutdown).await.map_err(Error::Serve)
}
