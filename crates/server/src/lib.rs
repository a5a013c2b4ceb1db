//! What every gRPC service of ours stands on, once: [`serve`].
//!
//! A call's way in, outermost first:
//!
//! 1. **The listener** takes in so many connections at a time, waits when the process has no descriptor left, and drops
//!    a peer that does not speak in time.
//! 2. **HTTP/2's limits**, which tonic leaves off: streams, header lists, frames, windows, resets, pings, age.
//! 3. **Telemetry** opens the call's span, sets its deadline and writes the trace headers on whatever comes back, also
//!    from the two layers below.
//! 4. **The guard** refuses what is not a gRPC call.
//! 5. **Load shedding** answers at once when too many calls are in flight.
//! 6. **A request that cannot be read** is the caller's mistake, and answered so.
//! 7. **The routes**: the service's own, `grpc.health.v1`, and reflection when it is switched on.
//!
//! Beside it stands the admin port: `/livez`, `/readyz`, `/telemetry` with what is decided of sampling and why and how
//! exporting goes, `/metrics` with the same for Prometheus, and `/`, which says what is there. Its requests are measured
//! and make no spans.
//!
//! When told to stop, a service turns its readiness off and its health to NOT_SERVING, closes the listener, sends GOAWAY
//! on every connection, and lets calls in flight finish; what is left after [`Config::drain`] is cut.
//!
//! How large a message may be is not decided here but by the generated server of each service
//! (`max_decoding_message_size`, `max_encoding_message_size`): only the service knows its messages, and the defaults are
//! 4 MiB in and no limit out.
#![forbid(unsafe_code)]

mod config;
mod accept;
mod connection;
mod transport;
mod guard;
mod shed;
mod unreadable;
mod check;
mod readiness;
mod health;
mod reflection;
mod admin;
mod stop;
mod error;

pub use check::Check;
pub use config::{Config, http_uri};
pub use error::Error;

use std::convert::Infallible;
use std::time::Duration;

use telemetry::{RpcServerLayer, Telemetry, TrustTrace};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;
use tower::util::MapResponseLayer;
use tracing::{info, warn};

use crate::accept::Acceptor;
use crate::connection::Patience;
use crate::guard::GuardLayer;
use crate::health::Health;
use crate::readiness::Readiness;
use crate::shed::ShedLayer;
use crate::stop::Stop;

/// The length of HTTP/2's client preface.
const HTTP2_PREFACE: usize = 24;

/// How long calls that were cut may take to notice. They only have to be dropped.
const CUT_LIMIT: Duration = Duration::from_secs(1);

/// Where a service listens. The caller binds, so that it knows the addresses and its tests can take any free port.
#[derive(Debug)]
pub struct Listeners {
    /// For gRPC.
    pub rpc: TcpListener,
    /// For operators; loopback by default.
    pub admin: TcpListener,
}

/// What is served.
#[derive(Debug)]
pub struct Service {
    /// The gRPC service's full name, such as `shop.order.v1.OrderService`: health answers to it.
    pub name: &'static str,
    /// The service's contracts as an encoded `FileDescriptorSet`, for reflection and for the names of its methods.
    pub descriptors: &'static [u8],
    /// The service's own routes; health and reflection are added to them.
    pub routes: Routes,
    /// Whose trace to continue: a service that only the system's own services call may believe them all.
    pub trust: TrustTrace,
    /// What the service needs to do its work. None: it is ready at once.
    pub checks: Vec<Check>,
}

/// Serves `service` until `shutdown` resolves, then drains. When this returns, no connection is open and every call has
/// ended; a future dropped instead cuts them all.
///
/// ```no_run
/// use server::{Check, Listeners, Service};
/// # async fn example(
/// #     routes: tonic::service::Routes,
/// #     payments: telemetry::RpcChannel,
/// #     config: server::Config,
/// #     telemetry: telemetry::Telemetry,
/// #     shutdown: impl Future<Output = ()>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// use tokio::net::TcpListener;
///
/// let listeners = Listeners {
///     rpc: TcpListener::bind("127.0.0.1:50051").await?,
///     admin: TcpListener::bind("127.0.0.1:51051").await?,
/// };
/// let service = Service {
///     name: "shop.order.v1.OrderService",
///     descriptors: proto::order::DESCRIPTORS,
///     routes, // Routes::new(OrderServiceServer::new(rpc).max_decoding_message_size(64 * 1024))
///     trust: telemetry::TrustTrace::All,
///     checks: vec![Check::upstream("payment", payments)],
/// };
/// server::serve(listeners, service, &config, &telemetry, shutdown).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When reflection cannot be built from the descriptors, or tonic gives up. A peer's errors and a process that is out of
/// file descriptors are not among them.
///
/// # Panics
/// If `service.descriptors` is no encoded `FileDescriptorSet`.
pub async fn serve(
    listeners: Listeners,
    service: Service,
    config: &Config,
    telemetry: &Telemetry,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let Service { name, descriptors, routes, trust, checks } = service;
    let stop = Stop::new();
    let cut = stop.cut_on_drop();
    let readiness = Readiness::unknown(checks.iter().map(Check::name));
    let calls = ShedLayer::new(config.max_concurrent_calls);

    let observed = telemetry_layer(telemetry, descriptors, trust, config.default_deadline);
    let mut routes = routes.add_service(Health::server(name, readiness.subscribe()));
    if config.reflection {
        routes = reflection::add(routes, descriptors, &stop).map_err(Error::Descriptors)?;
    }
    let rpc = transport::server()
        // Outermost, so that an answer of the layers below has its span and its trace headers too.
        .layer(observed)
        // Before a call counts: what is no call takes no place.
        .layer(GuardLayer)
        .layer(calls.clone())
        .layer(MapResponseLayer::new(unreadable::corrected))
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            Acceptor::new(listeners.rpc, config.max_connections, patience(config), stop.clone()).into_stream(),
            stop.clone().draining(),
        );

    info!(service = name, "serving");
    let served = tokio::select! {
        served = rpc => served.map_err(Error::Rpc),
        never = admin::serve(listeners.admin, name, readiness.subscribe(), telemetry, stop.without_drain()) => match never {},
        never = check::keep(&checks, config.check_interval, &readiness) => match never {},
        never = drain(shutdown, config.drain, &readiness, &stop) => match never {},
    };
    drop(cut);
    if tokio::time::timeout(CUT_LIMIT, calls.idle()).await.is_err() {
        warn!("calls that were cut have not ended");
    }
    served
}

fn telemetry_layer(
    telemetry: &Telemetry,
    descriptors: &'static [u8],
    trust: TrustTrace,
    default_deadline: Duration,
) -> RpcServerLayer {
    telemetry
        .rpc_server()
        .methods(descriptors)
        .methods(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .methods(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .methods(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
        .trust(trust)
        .default_deadline(default_deadline)
        .answer_trace_headers()
}

fn patience(config: &Config) -> Patience {
    Patience {
        preface: HTTP2_PREFACE,
        preface_timeout: config.preface_timeout,
        // A connection's age ends with GOAWAY, which is tonic's part; a call on it may take its time.
        lifetime: None,
    }
}

/// Waits for `shutdown`, then takes the service out of rotation, starts the drain, and cuts what is left after `limit`.
async fn drain(
    shutdown: impl Future<Output = ()>,
    limit: Duration,
    readiness: &watch::Sender<Readiness>,
    stop: &Stop,
) -> Infallible {
    shutdown.await;
    info!("draining");
    readiness.send_modify(Readiness::stop);
    stop.drain();
    tokio::time::sleep(limit).await;
    warn!("drain limit passed, cutting what is left");
    stop.cut();
    std::future::pending().await
}
