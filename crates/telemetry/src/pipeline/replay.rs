//! What is in the spool, sent in its order once the collector takes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::delivery::Delivery;
use super::sender::{Backoff, Sender, Verdict};
use super::spool::{Record, Spool};

/// How long the collector is left to others after each request, at least. It is as long as the request took, otherwise:
/// one that has just come back has half of its time for what ends now.
const LEAST_PAUSE: Duration = Duration::from_millis(2);

/// How long a disk is left alone that does not give what is on it.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// Sends what is in the spool, until a shutdown begins.
pub(super) async fn replay(delivery: Arc<Delivery>, spool: Arc<Spool>, sender: Sender) {
    tokio::select! {
        () = replay_for_ever(&delivery, &spool, &sender) => {}
        _ = delivery.closing().begun() => {}
    }
}

async fn replay_for_ever(delivery: &Delivery, spool: &Spool, sender: &Sender) {
    let mut backoff = Backoff::default();
    loop {
        let Some(record) = spool.next() else {
            tokio::select! {
                () = delivery.spooled() => {}
                () = sleep(DISK_PAUSE), if !spool.is_empty() => {}
            }
            continue;
        };
        let started = Instant::now();
        let pause = match sender.attempt(record.body.clone()).await {
            Ok(rejected) => {
                arrived(delivery, spool, &record, rejected.map_or((0, String::new()), |r| (r.items, r.message)));
                backoff = Backoff::default();
                started.elapsed().max(LEAST_PAUSE)
            }
            Err(failure) if failure.verdict == Verdict::BadRequest => {
                arrived(delivery, spool, &record, (record.items, failure.to_string()));
                LEAST_PAUSE
            }
            Err(failure) => {
                delivery.failed(&failure);
                backoff.pause(failure.retry_after)
            }
        };
        sleep(pause).await;
    }
}

/// The collector has answered: so many items it has refused for what they are, the others it has taken.
fn arrived(delivery: &Delivery, spool: &Spool, record: &Record, (rejected, reason): (u64, String)) {
    let rejected = rejected.min(record.items);
    spool.done(record);
    delivery.fate().exported(record.items - rejected, record.is_earlier);
    delivery.fate().rejected(rejected, record.is_earlier, &reason);
    delivery.worked();
}
