//! What is in the spool, sent in its order once the collector takes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::delivery::Delivery;
use super::sender::{Backoff, Sender, Verdict};
use super::spool::{Record, Spool};

/// How long the collector is left to others after each request, at least. It is as long as the request took, otherwise:
/// one that has just come back has half of its time for what ends now.
const LEAST_PAUSE: Duration = Duration::from_millis(2);

/// How long a disk is left alone that does not give what is on it.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// How often to look for what processes have left that have ended since this one began.
pub(super) const LOOK_AROUND: Duration = Duration::from_secs(30);

/// Sends what is in the spool, until a shutdown begins. While there is nothing, looks every `look_around` for what
/// others have left.
pub(super) async fn replay(delivery: Arc<Delivery>, spool: Arc<Spool>, sender: Sender, look_around: Duration) {
    tokio::select! {
        () = replay_for_ever(&delivery, &spool, &sender, look_around) => {}
        _ = delivery.closing().begun() => {}
    }
}

async fn replay_for_ever(delivery: &Delivery, spool: &Spool, sender: &Sender, look_around: Duration) {
    let mut backoff = Backoff::default();
    let mut looks = interval_at(Instant::now() + look_around, look_around);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if spool.is_empty() {
            tokio::select! {
                () = delivery.spooled() => {}
                _ = looks.tick() => adopt(delivery, spool),
            }
            continue;
        }
        let Some(record) = spool.next() else {
            // Not woken by what is spooled meanwhile: a segment that fails too often is given up.
            sleep(DISK_PAUSE).await;
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

fn adopt(delivery: &Delivery, spool: &Spool) {
    let set_aside = spool.adopt();
    if set_aside > 0 {
        delivery.fate().tell_set_aside(set_aside);
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

#[cfg(test)]
mod tests;
