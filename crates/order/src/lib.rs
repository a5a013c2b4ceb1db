//! The order service: takes orders, charges for them through the payment service, and keeps every step of it.
//!
//! A call goes through `rpc` (parse, act, answer), `wire` (the contract's messages to our own types), `orders` (the use
//! cases), `order` and `catalogue` (what an order is and costs, pure), `progress` (one step after the other), `payments` (the
//! payment service's client) and `store` (SQLite or PostgreSQL). `recovery` takes up what was left undone. `error` is the only
//! place where a failure becomes a status. `relay` hands over what happened.
//!
//! What it promises:
//!
//! - **One key, one order, one charge.** The order and the intent to charge for it, with a payment key of its own, are
//!   committed before the payment service is asked; every try, also one after a crash, asks with that key.
//! - **A caller that goes away changes nothing.** Once begun, an order is seen through by a task of its own.
//! - **Unknown is not failed.** An order whose payment is not known to have ended stays pending and that is the answer; the
//!   service asks until it knows, and the same idempotency key asks at once.
//! - **A crash loses nothing.** Whoever works on an order holds it by a lease; once that has ended, or at once after a step that
//!   failed, another takes the order up from the step it had come to. A holder that comes back too late writes nothing: each
//!   taking has a number, and the store refuses what carries an older one. So instances may run side by side.
//! - **An order can be cancelled at any moment**, once: money that moved, or turns out to have moved, is given back.
//! - **What happens is told.** Each state is written down in the transaction that makes it, and handed to the notification
//!   service at least once, those of an order in their order. An event that is refused for good is parked until somebody asks for
//!   it again; the others go on.
//! - **The same key gives the same answer**, a decline included, marked `idempotent-replayed: true`. What decided nothing
//!   (a malformed request, a key in use, a payment service that is down) is not kept.
//! - **Prices are the shop's**, never the caller's, and sums are exact or refused.
//! - **Secrets stay.** An e-mail address never leaves the store; a payment token goes to the payment service only, and is
//!   erased by the transaction that ends the payment.
//!
//! What its spans say, besides the conventions':
//!
//! | span | attribute or event | what it is |
//! |---|---|---|
//! | `place_order`, `cancel_order`, `get_order`, `recover_order` | `order.id` | the order's id, a UUID |
//! | `place_order`, `recover_order` | `order.item_count` | how many items (lines) the order has |
//! | `place_order`, `recover_order` | `order.total_minor` | the order's total in the currency's minor unit |
//! | `place_order`, `recover_order` | `order.currency` | the total's currency, an ISO 4217 code |
//! | `place_order` | event `order.validated` | the order is well-formed and about to be accepted; absent in a replay |
//!
//! What it measures, besides the conventions':
//!
//! | metric | attributes | what it is |
//! |---|---|---|
//! | `shop.orders` | `order.state`: `PAID`, `DECLINED` or `CANCELLED` | how many orders came to that state |
//! | `shop.order.value` | `order.state`, `order.currency` | their totals in the currency's minor unit |
//! | `shop.events` | `event.outcome`: `DELIVERED`, `AWAY`, `REFUSED`, `PARKED` | how often an event was to be handed over, and what came of it |
//! | `shop.orders.recovered` | | how often an order was taken up that was left undone |
//! | `shop.orders.in_flight` | | how many orders are being worked on, whether or not their callers still wait |
#![forbid(unsafe_code)]

mod config;
mod rpc;
mod wire;
mod orders;
mod order;
mod catalogue;
mod listing;
mod saga;
mod progress;
mod recovery;
mod idempotency;
mod payments;
mod outbox;
mod notifications;
mod relay;
mod store;
mod metrics;
mod error;

use std::time::Duration;

use proto::order::v1::order_service_server::{OrderServiceServer, SERVICE_NAME};
use server::Check;
use telemetry::{RpcChannel, Telemetry, TrustTrace};
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::{Endpoint, Uri};
use tracing::warn;

use crate::metrics::Metrics;
use crate::notifications::Notifications;
use crate::orders::Orders;
use crate::payments::Payments;
use crate::progress::SAGA_LIMIT;
use crate::recovery::recover;
use crate::relay::{Relay, Written};
use crate::rpc::Rpc;
use crate::store::Store;

pub use crate::config::Config;
pub use crate::error::Error;

/// More than any request of the contract needs.
const LARGEST_REQUEST: usize = 64 * 1024;

/// More than a page of the most and longest orders takes; `wire` tests it.
const LARGEST_ANSWER: usize = 2 * 1024 * 1024;

/// Serves the order API until `shutdown` resolves, then drains, and finishes what callers that went away have left.
///
/// # Errors
/// When the store cannot be opened, or serving fails. Calls that fail are answered.
pub async fn serve(
    listeners: server::Listeners,
    config: Config,
    telemetry: Telemetry,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let store = Store::open(&config.database_url, config.lease, &telemetry).await.map_err(Error::Store)?;
    let payment = channel(config.payment, Payments::MAX_DEADLINE, &telemetry);
    let tasks = TaskTracker::new();

    let (metrics, written) = (Metrics::new(&telemetry), Written::default());
    let events = telemetry.producer("outbox", "order.events");
    let orders = Orders {
        store: store.clone(),
        payments: Payments::new(payment.clone()),
        events: events.clone(),
        written: written.clone(),
        tasks: tasks.clone(),
        metrics: metrics.clone(),
    };
    let recovery = telemetry::spawn(recover(orders.clone(), telemetry.clone(), config.recovery_interval));
    let relay = config.notification.map(|notification| {
        let channel = channel(notification, Notifications::MAX_DEADLINE, &telemetry);
        let notifications = Notifications::new(channel);
        let (store, telemetry) = (store.clone(), telemetry.clone());
        let relay = Relay { store, notifications, events, telemetry, metrics, written };
        telemetry::spawn(relay.run(config.recovery_interval))
    });
    let rpc = OrderServiceServer::new(Rpc { orders })
        .max_decoding_message_size(LARGEST_REQUEST)
        .max_encoding_message_size(LARGEST_ANSWER);
    let service = server::Service {
        name: SERVICE_NAME,
        descriptors: proto::order::DESCRIPTORS,
        routes: Routes::new(rpc),
        // Its callers are the services of the shop.
        trust: TrustTrace::All,
        checks: vec![readable(store.clone()), Check::upstream("payment", payment)],
    };
    let served = server::serve(listeners, service, &config.server, &telemetry, shutdown).await;

    recovery.abort();
    if let Some(relay) = relay {
        relay.abort();
    }
    tasks.close();
    if tokio::time::timeout(SAGA_LIMIT, tasks.wait()).await.is_err() {
        warn!("orders are still being worked on; whoever starts next finishes them");
    }
    store.close().await;
    served.map_err(Error::Serve)
}

/// A channel to another service that connects at the first call, and again whenever it must.
fn channel(service: Uri, max_deadline: Duration, telemetry: &Telemetry) -> RpcChannel {
    let endpoint = Endpoint::from(service)
        .connect_timeout(Duration::from_secs(1))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    let layer = telemetry.rpc_client(&endpoint).max_deadline(max_deadline);
    layer.layer(endpoint.connect_lazy())
}

/// Ready while the store can be read.
fn readable(store: Store) -> Check {
    Check::new("store", move || {
        let store = store.clone();
        Box::pin(async move { store.ping().await.map_err(|_| "the orders cannot be read".to_owned()) })
    })
}
