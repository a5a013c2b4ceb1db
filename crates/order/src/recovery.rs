//! Taking up what was left undone: by a crash, by a payment service that was away, by a bank that did not answer.

use std::time::Duration;

use telemetry::Telemetry;
use tokio::time::sleep;
use tracing::warn;

use crate::orders::{Orders, describe};
use crate::progress::SAGA_LIMIT;
use crate::saga::Held;

/// How many orders are taken up at once.
const TOGETHER: i64 = 16;

/// Looks for orders whose work is left, and sees them through, for ever. Each is a trace of its own, linked to that in which
/// the order was placed.
pub(crate) async fn recover(orders: Orders, telemetry: Telemetry, interval: Duration) {
    loop {
        // Instances that were started together do not look together.
        sleep(interval.mul_f64(rand::random_range(0.5..=1.0))).await;
        loop {
            let taken = match orders.store.take_due(TOGETHER).await {
                Ok(taken) => taken,
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "unfinished orders cannot be looked for");
                    break;
                }
            };
            if taken.is_empty() {
                break;
            }
            let recovered = taken.into_iter().map(|held| take_up(orders.clone(), telemetry.clone(), held));
            futures_util::future::join_all(recovered).await;
        }
    }
}

/// Goes on with one order. If that comes to nothing, it is due again later.
async fn take_up(orders: Orders, telemetry: Telemetry, held: Held) {
    let (this, origin) = (orders.clone(), held.origin.clone());
    let work = async move {
        let _working = this.metrics.working();
        this.metrics.recovering();
        describe(&held.order);
        this.see_through(held).await
    };
    let job = async move { telemetry.job("recover_order", [&origin], SAGA_LIMIT, work).await };
    // In a task that a stop waits for. Its failure is told in its trace.
    let _ = telemetry::spawn(orders.tasks.track_future(job)).await;
}
