//! Taking up what was left undone: by a crash, or by a bank that did not answer.

use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use crate::payments::Payments;
use crate::steps::Held;

/// How many steps are taken up at once.
const TOGETHER: i64 = 16;

/// Looks for steps that are open and belong to nobody, and finds out what became of them, for ever. Each is a trace of its
/// own, linked to that in which it was asked for.
pub(crate) async fn recover(payments: Payments, interval: Duration) {
    loop {
        // Instances that were started together do not look together.
        sleep(interval.mul_f64(rand::random_range(0.5..=1.0))).await;
        loop {
            let taken = match payments.store.take_due(TOGETHER).await {
                Ok(taken) => taken,
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "open payments cannot be looked for");
                    break;
                }
            };
            if taken.is_empty() {
                break;
            }
            let recovered = taken.into_iter().map(|held| take_up(payments.clone(), held));
            futures_util::future::join_all(recovered).await;
        }
    }
}

/// Goes on with one step. If that comes to nothing, it is due again later.
async fn take_up(payments: Payments, held: Held) {
    let (this, origin) = (payments.clone(), held.origin.clone());
    let job = async move {
        let work = this.recover(held);
        this.telemetry.job("recover_payment", [&origin], this.limit, work).await
    };
    // In a task that a stop waits for. Its failure is told in its trace.
    let _ = telemetry::spawn(payments.tasks.track_future(job)).await;
}
