//! The sandbox acquirer: an outside company that moves money when asked over HTTP/JSON.
//!
//! It stands for the real bank that a shop cannot change, see into or trace: it exports no telemetry and knows nothing
//! of the services that call it. What it promises is what a good acquirer promises:
//!
//! - Every changing call carries the merchant's own `Idempotency-Key`. The same key and request give the same answer,
//!   byte for byte (with the header `idempotent-replayed: true`), also after the bank was killed and started again.
//!   Another request under a used key is refused (422), and so is one whose twin is still running (409).
//! - Money, its ledger entry and the stored answer are one commit: either all of them exist or none does.
//! - An answer is kept once the bank has decided (approved, declined). Refusals that decided nothing (400, 404, 409,
//!   422, 503) are not: the same key may be tried again.
//! - A caller that goes away changes nothing: what was begun is finished.
//!
//! | call | answer |
//! |---|---|
//! | `POST /v1/authorisations` | 201 with the authorisation, 402 when declined |
//! | `POST /v1/authorisations/{id}/capture` | 200 with the authorisation, 409 `invalid_state` |
//! | `POST /v1/authorisations/{id}/refund` | 200 with the authorisation, 409 `invalid_state` |
//! | `GET /v1/authorisations/{id}` | 200 with the authorisation as it is now, or 404 |
//! | `GET /v1/authorisations?idempotency_key=K` | the same by the key it was made with; a declined key is 404 |
//! | `GET /v1/ledger?reference=R` | the statement: the newest 1000 movements (of that reference), oldest first |
//! | `GET /healthz` | 200 while the ledger can be read |
//!
//! To authorise, a merchant sends every one of these fields and no other; capture and refund take no fields and move
//! the whole amount. With `capture` the money moves at once (two movements), without it waits for the capture (one).
//!
//! ```json
//! {"amount": {"minor_units": 4200, "currency_code": "EUR"}, "token": "tok_visa", "capture": true, "reference": "7"}
//! ```
//!
//! An authorisation, an entry of the statement's `entries`, and a refusal (with `field` when one is to blame):
//!
//! ```json
//! {"id": "0199…", "state": "captured", "amount": {"minor_units": 4200, "currency_code": "EUR"}, "reference": "7"}
//! {"kind": "capture", "authorisation_id": "0199…", "minor_units": 4200, "currency_code": "EUR", "reference": "7",
//!  "idempotency_key": "7-charge"}
//! {"error": {"code": "invalid_request", "message": "token is missing", "field": "token"}}
//! ```
//!
//! The payment token chooses what happens, like the test cards of a card network:
//!
//! | token | behaviour |
//! |---|---|
//! | `tok_visa` | approved |
//! | `tok_declined` | declined: `card_declined` |
//! | `tok_insufficient_funds` | declined: `insufficient_funds` |
//! | `tok_expired` | declined: `card_expired` |
//! | `tok_slow` | approved after [`Config::slow`] |
//! | `tok_timeout` | approved and committed, and that call is never answered; the next one with its key is |
//! | `tok_flaky` | 503 for the first two calls of a key, then approved |
//! | `tok_down` | 503, always |
//! | anything else | declined: `card_declined` |
//!
//! A request goes through `http` (parse, act, answer), `request` (JSON to our own types), `bank` (the use cases),
//! `card` and `authorisation` (the decisions, pure), `store` (SQLite) and `answer` (our own types to JSON). `refusal`
//! is the only place where a failure gets its HTTP status.

#![forbid(unsafe_code)]

mod config;
mod connections;
mod http;
mod request;
mod bank;
mod card;
mod authorisation;
mod running;
mod store;
mod answer;
mod refusal;
mod error;

use std::time::Duration;

use tokio::{net::TcpListener, time};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    bank::Bank,
    connections::{Connections, Line},
    store::Store,
};

pub use crate::{config::Config, error::Error};

/// How long the database may take to close once every call has ended or was cut.
const CLOSE: Duration = Duration::from_secs(1);

/// Serves the bank on `listener` until `shutdown` resolves, then finishes the calls that are running.
///
/// What is not finished [`Config::drain`] later is cut. Calls that will never be answered are cut at once. Dropping the
/// future cuts everything at once, as a crash would.
///
/// # Errors
///
/// When the database cannot be opened or brought up to date. Calls that fail are answered, not returned here.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let store = Store::open(&config.database_url).await?;

    // `cut` ends whatever still runs; `stopping` only asks, and being the child it ends with it.
    let cut = CancellationToken::new();
    let stopping = cut.child_token();
    let _cut_when_dropped = cut.clone().drop_guard();

    let bank = Bank::new(store.clone(), config.slow, cut.clone());
    let app = http::router(bank.clone()).into_make_service_with_connect_info::<Line>();
    let connections = Connections::new(listener, stopping.clone(), cut.clone());
    let serving = axum::serve(connections, app).with_graceful_shutdown(stopping.clone().cancelled_owned());

    let ended = async {
        serving.await.map_err(Error::Serve)?;
        bank.finished().await;
        Ok(())
    };
    let overdue = async {
        shutdown.await;
        stopping.cancel();
        time::sleep(config.drain).await;
    };
    let served = tokio::select! {
        ended = ended => ended,
        () = overdue => {
            warn!(drain = ?config.drain, "cutting the calls that are still running");
            Ok(())
        }
    };

    cut.cancel();
    if time::timeout(CLOSE, store.close()).await.is_err() {
        warn!("the database did not close in time; its next start recovers it");
    }
    served
}
