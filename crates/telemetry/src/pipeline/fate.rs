use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::health::{Health, State};
use super::report::{Account, Dropped, Replayed};
use super::signal::Signal;
use crate::clock::BUCKETS;
use crate::lock::lock;
use crate::logs::TIMESTAMP;

/// How often it is told that items are dropped, refused or lost, at most.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Counts what becomes of the items of one signal, and tells when exporting begins to fail and when it works again.
#[derive(Debug)]
pub(super) struct Fate {
    signal: Signal,
    ended: AtomicU64,
    on_their_way: AtomicU64,
    exported: AtomicU64,
    rejected: AtomicU64,
    dropped: [AtomicU64; 5],
    replayed_exported: AtomicU64,
    replayed_rejected: AtomicU64,
    health: Mutex<Health>,
    operations: Mutex<Operations>,
    told_dropped: Told,
    told_rejected: Told,
    told_spool: Told,
}

/// Why an item is lost that no collector has refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    QueueFull,
    ExportFailed,
    SpoolFailed,
    Shutdown,
    AlreadyShutdown,
}

/// Requests by what they ended with: an `error.type`, or nothing.
pub(super) type Operations = BTreeMap<Option<String>, Operation>;

/// Requests that ended alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Operation {
    pub(super) items: u64,
    pub(super) seconds: f64,
    /// How many took at most as long as each of [`BUCKETS`], and how many there are.
    pub(super) within: [u64; BUCKETS.len()],
    pub(super) count: u64,
}

/// When something was told of last.
#[derive(Debug, Default)]
struct Told(Mutex<Option<Instant>>);

// === impl Fate ===

impl Fate {
    pub(super) fn new(signal: Signal) -> Self {
        Self {
            signal,
            ended: AtomicU64::new(0),
            on_their_way: AtomicU64::new(0),
            exported: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            dropped: Default::default(),
            replayed_exported: AtomicU64::new(0),
            replayed_rejected: AtomicU64::new(0),
            health: Mutex::new(Health::new()),
            operations: Mutex::default(),
            told_dropped: Told::default(),
            told_rejected: Told::default(),
            told_spool: Told::default(),
        }
    }

    pub(super) fn ended(&self, items: u64) {
        self.ended.fetch_add(items, Ordering::Relaxed);
    }

    pub(super) fn left(&self, items: u64) {
        self.on_their_way.fetch_add(items, Ordering::Relaxed);
    }

    /// They are no longer on their way; what became of them is said by itself.
    pub(super) fn settled(&self, items: u64) {
        self.on_their_way.fetch_sub(items, Ordering::Relaxed);
    }

    pub(super) fn exported(&self, items: u64, is_earlier: bool) {
        let counter = if is_earlier { &self.replayed_exported } else { &self.exported };
        counter.fetch_add(items, Ordering::Relaxed);
    }

    /// The collector refuses them for what they are.
    pub(super) fn rejected(&self, items: u64, is_earlier: bool, reason: &str) {
        let counter = if is_earlier { &self.replayed_rejected } else { &self.rejected };
        counter.fetch_add(items, Ordering::Relaxed);
        let is_worth_telling = items > 0 || !reason.is_empty();
        if is_worth_telling && self.told_rejected.is_due() {
            tell(|| tracing::warn!(items, reason, "the collector refuses {}", self.signal.items()));
        }
    }

    pub(super) fn dropped(&self, items: u64, reason: Reason) {
        self.dropped[reason as usize].fetch_add(items, Ordering::Relaxed);
    }

    /// Whether it is time to [tell](Self::tell_queue_full) that there is no room.
    pub(super) fn is_queue_full_news(&self) -> bool {
        self.told_dropped.is_due()
    }

    pub(super) fn tell_queue_full(&self) {
        let dropped = self.dropped[Reason::QueueFull as usize].load(Ordering::Relaxed);
        tell(|| tracing::warn!(dropped, "{} are dropped, too many wait for the collector", self.signal.items()));
    }

    /// The spool does not take them.
    pub(super) fn tell_spool_failed(&self, reason: &str) {
        if self.told_spool.is_due() {
            tell(|| tracing::warn!(reason, "{} are dropped, the spool does not take them", self.signal.items()));
        }
    }

    /// So many files of the spool are of another format.
    pub(super) fn tell_set_aside(&self, files: u64) {
        tell(|| tracing::warn!(files, "{} on disk are not sent, they are of another format", self.signal.items()));
    }

    /// A request was not taken. It may be tried again; what becomes of its items is said by itself.
    pub(super) fn failing(&self, error: &dyn Fn() -> String) {
        let lost = self.account(0).lost();
        let is_news = lock(&self.health).failed(Instant::now(), error, lost);
        if is_news {
            tell(|| tracing::warn!(error = error(), lost, "{} cannot be exported", self.signal.items()));
        }
    }

    /// A request was taken.
    pub(super) fn working(&self) {
        let lost = self.account(0).lost();
        let recovered = lock(&self.health).worked(Instant::now(), lost);
        if let Some(recovered) = recovered {
            let since = OffsetDateTime::from(recovered.since).format(TIMESTAMP).unwrap_or_default();
            let lost = recovered.lost;
            tell(|| tracing::info!(failing_since = since, lost, "{} are exported again", self.signal.items()));
        }
    }

    /// A request has ended, with all its attempts.
    pub(super) fn operated(&self, items: u64, took: Duration, error: Option<String>) {
        let mut operations = lock(&self.operations);
        let operation = operations.entry(error).or_default();
        operation.items += items;
        operation.count += 1;
        operation.seconds += took.as_secs_f64();
        let within = operation.within.iter_mut().zip(BUCKETS);
        within.filter(|(_, bound)| took.as_secs_f64() <= *bound).for_each(|(count, _)| *count += 1);
    }

    pub(super) fn operations(&self) -> Operations {
        lock(&self.operations).clone()
    }

    pub(super) fn is_failing(&self) -> bool {
        lock(&self.health).state() == State::Failing
    }

    pub(super) fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    /// What became of all; `waiting` are queued beside those on their way. What is on disk is not in it.
    pub(super) fn account(&self, waiting: u64) -> Account {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let dropped = |reason: Reason| count(&self.dropped[reason as usize]);
        Account {
            ended: count(&self.ended),
            exported: count(&self.exported),
            spooled: 0,
            queued: waiting + count(&self.on_their_way),
            rejected: count(&self.rejected),
            dropped: Dropped {
                queue_full: dropped(Reason::QueueFull),
                export_failed: dropped(Reason::ExportFailed),
                spool_failed: dropped(Reason::SpoolFailed),
                spool_lost: 0,
                shutdown: dropped(Reason::Shutdown),
                already_shutdown: dropped(Reason::AlreadyShutdown),
            },
            replayed: Replayed {
                exported: count(&self.replayed_exported),
                rejected: count(&self.replayed_rejected),
                waiting: 0,
            },
        }
    }
}

// === impl Told ===

impl Told {
    /// Whether it was not told of lately; then it is now.
    fn is_due(&self) -> bool {
        let mut last = lock(&self.0);
        let is_due = last.is_none_or(|last| last.elapsed() >= TELL_AGAIN);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

/// Logs. A subscriber may panic; who counts must not, least of all in a `drop` that another panic has led to.
fn tell(log: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(log));
}

#[cfg(test)]
mod tests;
