//! What is in the spool, sent in its order once the collector takes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::delivery::Delivery;
use super::sender::{Backoff, Failure, Sender, Verdict};
use super::spool::{Record, Spool};

/// How long the collector is left to others after each request, at least. It is as long as the request took, otherwise:
/// one that has just come back has half of its time for what ends now.
const LEAST_PAUSE: Duration = Duration::from_millis(2);

/// How long a disk is left alone that does not give what is on it.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// How often the oldest request is refused while others are taken before it is given up: all would wait behind it.
const MOST_REFUSALS: u32 = 5;

/// How often to look for what processes have left that have ended since this one began.
pub(super) const LOOK_AROUND: Duration = Duration::from_secs(30);

/// How often the oldest request was refused though the collector had taken others since it was refused before.
#[derive(Debug, Default)]
struct Refusals {
    times: u32,
    /// How many others were taken when it was refused last.
    others: Option<u64>,
}

/// Sends what is in the spool, until a shutdown begins. While there is nothing, looks every `look_around` for what
/// others have left.
pub(super) async fn replay(delivery: Arc<Delivery>, spool: Arc<Spool>, sender: Sender, look_around: Duration) {
    tokio::select! {
        () = replay_for_ever(&delivery, &spool, &sender, look_around) => {}
        _ = delivery.closing().begun() => {}
    }
}

async fn replay_for_ever(delivery: &Delivery, spool: &Spool, sender: &Sender, look_around: Duration) {
    let (mut backoff, mut refusals) = (Backoff::default(), Refusals::default());
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
                (backoff, refusals) = (Backoff::default(), Refusals::default());
                started.elapsed().max(LEAST_PAUSE)
            }
            Err(failure) if is_its_own_fault(&failure, delivery, &mut refusals) => {
                arrived(delivery, spool, &record, (record.items, failure.to_string()));
                refusals = Refusals::default();
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

/// Whether a request would be refused for ever. A collector says so of it, or shows it by what else it takes.
fn is_its_own_fault(failure: &Failure, delivery: &Delivery, refusals: &mut Refusals) -> bool {
    match failure.verdict {
        Verdict::BadRequest => true,
        Verdict::Refused => refusals.are_enough(delivery.try_another()),
        // A collector that is full refuses one and takes another, for no fault of theirs.
        Verdict::Full | Verdict::Transient => false,
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

// === impl Refusals ===

impl Refusals {
    /// Counts one more, after so many others were taken. Says whether there is no use in going on.
    fn are_enough(&mut self, others: u64) -> bool {
        let are_taken = self.others.replace(others).is_some_and(|before| before < others);
        self.times += u32::from(are_taken);
        self.times >= MOST_REFUSALS
    }
}

#[cfg(test)]
mod tests;
