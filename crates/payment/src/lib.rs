//! The payment service: charges and refunds cards through the bank, and keeps a ledger of every intent to do so.
//!
//! A call goes through `rpc` (parse, act, answer), `wire` (the contract's messages to our own types), `payments` (the use
//! cases), `payment` (the decisions, pure), `bank` (HTTP) and `store` (SQLite or PostgreSQL). `error` is the only place where a failure
//! becomes a status.
//!
//! What it promises:
//!
//! - **The money moves once.** The intent, with the bank's own key, is committed before the bank is asked; every attempt,
//!   also one after a crash, asks with that key.
//! - **Unknown is not failed.** When the bank's answer does not come or cannot be read, the payment stays pending and
//!   that is the answer. The service asks the bank for what it knows until it is settled; the same idempotency key, with its
//!   token, asks at once.
//! - **A crash loses nothing.** Whoever asks the bank holds the step by a lease; once that has ended, another takes it up. A
//!   holder that comes back too late writes nothing: each taking has a number, and the ledger refuses what carries an older one.
//!   So instances may run side by side.
//! - **A caller that goes away changes nothing.** From the intent on, the work runs in a task of its own.
//! - **The same key gives the same answer**, a decline included, marked `idempotent-replayed: true`. What decided nothing
//!   (a malformed request, a key in use, a bank that is down) is not kept.
//!
//! What it measures, besides the conventions':
//!
//! | metric | attributes | what it is |
//! |---|---|---|
//! | `shop.payments` | `payment.operation`: `charge` or `refund` | how often the bank was asked to move money, its own retries not counted |
//! | | `payment.outcome`: `CAPTURED`, `DECLINED`, `REFUNDED` | and did, or refused; each counted once |
//! | | `payment.outcome`: `UNKNOWN`, `UNAVAILABLE` | and may have or surely has not; counted each time a caller asks |
#![forbid(unsafe_code)]

mod config;
mod rpc;
mod wire;
mod payments;
mod payment;
mod idempotency;
mod steps;
mod recovery;
mod bank;
mod store;
mod metrics;
mod error;

use std::time::Duration;

use proto::payment::v1::payment_service_server::{PaymentServiceServer, SERVICE_NAME};
use server::Check;
use telemetry::{Telemetry, TrustTrace};
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tracing::warn;

use crate::bank::Bank;
use crate::metrics::Metrics;
use crate::payments::Payments;
use crate::recovery::recover;
use crate::rpc::Rpc;
use crate::store::Store;

pub use crate::config::Config;
pub use crate::error::Error;

/// More than any message of the contract needs.
const LARGEST_MESSAGE: usize = 64 * 1024;

/// What the ledger may take of a change, besides the bank.
const LEDGER_LIMIT: Duration = database::PATIENCE;

/// Serves the payment API until `shutdown` resolves, then drains, and finishes what callers that went away have left.
///
/// # Errors
/// When the ledger cannot be opened, the bank's client cannot be made, or serving fails. Calls that fail are answered.
pub async fn serve(
    listeners: server::Listeners,
    config: Config,
    telemetry: Telemetry,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let store = Store::open(&config.database_url, config.lease, &telemetry).await.map_err(Error::Store)?;
    let bank = Bank::new(&config.bank, config.bank_timeout, config.bank_propagate, &telemetry).map_err(Error::Bank)?;
    let tasks = TaskTracker::new();
    let limit = config.bank_timeout + LEDGER_LIMIT;

    let metrics = Metrics::new(&telemetry);
    let payments =
        Payments { store: store.clone(), bank, tasks: tasks.clone(), limit, metrics, telemetry: telemetry.clone() };
    let recovery = telemetry::spawn(recover(payments.clone(), config.recovery_interval));
    let rpc = PaymentServiceServer::new(Rpc { payments })
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE);
    let service = server::Service {
        name: SERVICE_NAME,
        descriptors: proto::payment::DESCRIPTORS,
        routes: Routes::new(rpc),
        // Its callers are the services of the shop.
        trust: TrustTrace::All,
        checks: vec![readable(store.clone())],
    };
    let served = server::serve(listeners, service, &config.server, &telemetry, shutdown).await;

    recovery.abort();
    tasks.close();
    if tokio::time::timeout(limit, tasks.wait()).await.is_err() {
        warn!("changes are still running; whoever starts next finds out how they ended");
    }
    store.close().await;
    served.map_err(Error::Server)
}

/// Ready while the ledger can be read. A bank that is down is no reason: payments can still be looked up.
fn readable(store: Store) -> Check {
    Check::new("store", move || {
        let store = store.clone();
        Box::pin(async move { store.check().await.map_err(|_| "the ledger cannot be read".to_owned()) })
    })
}
