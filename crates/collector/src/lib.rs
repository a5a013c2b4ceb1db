//! An OTLP receiver that fits into a process of one's own: for the demo, for tests, for a look at one's own services.
//!
//! A request's way: `rpc` (OTLP/gRPC) or `http` (OTLP/HTTP, through `body`) turns bytes into an export request,
//! `signal` says what each of the three kinds of request is, `store` keeps it within its bounds, `query` reads it
//! back with the JSON of Jaeger's `/api/v3` and `/api/dependencies`.
//!
//! It listens where its caller says, keeps everything in memory and exports nothing about itself.
//! What arrives is somebody else's: whatever its bytes are, they are kept, or refused with the status that OTLP
//! names for the case, and the next request is served.

#![forbid(unsafe_code)]

mod config;
pub use config::Config;

mod error;
pub use error::Error;

mod rpc;

mod http;

mod body;

mod signal;

mod store;

mod id;

mod query;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// How long requests that are being served may take once the collector stops.
const GRACE: Duration = Duration::from_secs(3);

/// Where a collector listens.
#[derive(Debug)]
pub struct Listeners {
    /// OTLP/gRPC; 4317 by convention.
    pub grpc: TcpListener,
    /// OTLP/HTTP, protobuf and JSON; 4318 by convention.
    pub http: TcpListener,
    /// The query API.
    pub query: TcpListener,
}

/// The addresses that were bound, which a port of 0 does not tell.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    grpc: SocketAddr,
    http: SocketAddr,
    query: SocketAddr,
}

/// Serves on `listeners` until `shutdown` resolves; the addresses of `config` are its caller's business.
///
/// Then it stops accepting, lets requests finish for three seconds, and returns. A connection that is still busy
/// after that is left to the runtime and ends with it.
///
/// # Errors
/// When a listener is of no use.
pub async fn serve(
    listeners: Listeners,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let addresses = listeners.addresses().map_err(Error::Address)?;
    let Listeners { grpc, http, query } = listeners;
    let store = Store::new(&config);
    let stopping = CancellationToken::new();

    let grpc = rpc::serve(grpc, store.clone(), stopping.clone().cancelled_owned());
    let http = serve_http(http, http::routes(store.clone()), stopping.clone());
    let query = serve_http(query, query::routes(store, addresses), stopping.clone());
    tokio::select! {
        served = async { tokio::try_join!(grpc, http, query) } => served.map(drop),
        () = stopped(shutdown, stopping) => Ok(()),
    }
}

async fn serve_http(listener: TcpListener, routes: axum::Router, stopping: CancellationToken) -> Result<(), Error> {
    let listener = listener.tap_io(|connection| {
        // Answers are small; without this they may wait for an acknowledgement. Failing is no reason to refuse.
        drop(connection.set_nodelay(true));
    });
    let server = axum::serve(listener, routes).with_graceful_shutdown(stopping.cancelled_owned());
    server.await.map_err(Error::Http)
}

/// Resolves when the servers have had their time to stop after `shutdown`.
async fn stopped(shutdown: impl Future<Output = ()>, stopping: CancellationToken) {
    shutdown.await;
    stopping.cancel();
    tokio::time::sleep(GRACE).await;
}

// === impl Listeners ===

impl Listeners {
    fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses { grpc: self.grpc.local_addr()?, http: self.http.local_addr()?, query: self.query.local_addr()? })
    }
}
