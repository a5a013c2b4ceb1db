//! The notification service: takes over what happened to orders, each event once, so that customers can be told.
//!
//! A call goes through `rpc` (parse, act, answer), `wire` (the contract's messages to our own types), `deliveries` (the use
//! cases), `delivery` (what an event is, pure) and `store` (SQLite or PostgreSQL). `error` is the only place where a failure
//! becomes a status.
//!
//! What it promises:
//!
//! - **Once in effect.** The order service hands an event over at least once; here it is known by its id, and what is known
//!   already changes nothing.
//! - **Never lost.** An event that was answered with OK is on disk.
//! - **Secrets stay.** The customer's address is passed through and kept nowhere.
//!
//! Taking an event over is a CONSUMER span, `process order.events`, linked to the span in which the event was written down.
//!
//! # With a broker
//!
//! Between the two services stands gRPC: the order service's relay calls `Deliver` and takes OK for an acknowledgement. A
//! broker takes its place on both sides: the relay publishes the same message, with the event's id as its key for
//! deduplication, the order's id as its partition, so that the events of an order stay in order, and the trace context in the
//! message's headers; here, a consumer loop reads it and acknowledges after `Deliveries::take_over` has returned.
//!
//! What it measures, besides the conventions':
//!
//! | metric | attributes | what it is |
//! |---|---|---|
//! | `shop.deliveries` | `delivery.known`: `true` or `false` | how many events were brought, and whether they were known already |
#![forbid(unsafe_code)]

mod config;
mod rpc;
mod wire;
mod deliveries;
mod delivery;
mod store;
mod error;

use proto::notification::v1::notification_service_server::{NotificationServiceServer, SERVICE_NAME};
use server::Check;
use telemetry::{Metric, Telemetry, TrustTrace};
use tonic::service::Routes;

use crate::deliveries::Deliveries;
use crate::rpc::Rpc;
use crate::store::Store;

pub use crate::config::Config;
pub use crate::error::Error;

/// More than any request of the contract needs.
const LARGEST_REQUEST: usize = 64 * 1024;

/// More than a page of the most deliveries takes.
const LARGEST_ANSWER: usize = 256 * 1024;

const DELIVERIES: Metric =
    Metric { name: "shop.deliveries", unit: "{event}", description: "Events of orders that were brought." };

/// Serves the notification API until `shutdown` resolves, then drains.
///
/// # Errors
/// When the store cannot be opened, or serving fails. Calls that fail are answered.
pub async fn serve(
    listeners: server::Listeners,
    config: Config,
    telemetry: Telemetry,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let store = Store::open(&config.database_url, &telemetry).await.map_err(Error::Store)?;
    let deliveries = Deliveries {
        store: store.clone(),
        events: telemetry.consumer("outbox", "order.events").group("notification"),
        brought: telemetry.counter(DELIVERIES),
    };
    let rpc = NotificationServiceServer::new(Rpc { deliveries })
        .max_decoding_message_size(LARGEST_REQUEST)
        .max_encoding_message_size(LARGEST_ANSWER);
    let service = server::Service {
        name: SERVICE_NAME,
        descriptors: proto::notification::DESCRIPTORS,
        routes: Routes::new(rpc),
        // Its callers are the services of the shop.
        trust: TrustTrace::All,
        checks: vec![readable(store.clone())],
    };
    let served = server::serve(listeners, service, &config.server, &telemetry, shutdown).await;
    store.close().await;
    served.map_err(Error::Serve)
}

/// Ready while the store can be read.
fn readable(store: Store) -> Check {
    Check::new("store", move || {
        let store = store.clone();
        Box::pin(async move { store.ping().await.map_err(|_| "the deliveries cannot be read".to_owned()) })
    })
}
