//! Where requests go: to a collector or to stdout, or, if a collector does not take them, to a spool.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::closing::Closing;
use super::fate::{Fate, Reason};
use super::report::Account;
use super::sender::{Failure, Rejected, Sender, Verdict};
use super::spool::Spool;

/// What is larger never goes to a spool: a collector that does not take it never would, nor what is behind it then.
const LARGEST_SPOOLED: usize = 4 << 20;

/// Delivers the requests of one signal and counts what becomes of them.
#[derive(Debug)]
pub(super) struct Delivery {
    way: Way,
    spool: Option<Arc<Spool>>,
    fate: Arc<Fate>,
    closing: Closing,
    /// Told when something was put into the spool.
    spooled: Notify,
    /// Whether requests go to the spool without being tried, for as long as there is something in it to try.
    is_away: AtomicBool,
    /// Whether one request is to be tried all the same.
    tries_one: AtomicBool,
    /// How many requests were taken that had not been in the spool.
    taken: AtomicU64,
}

/// Where to.
#[derive(Debug)]
pub(super) enum Way {
    Collector(Box<Sender>),
    Stdout,
}

/// A request whose items are lost unless it is said what became of them: what sends it may be dropped, or panic.
struct UnderWay<'d> {
    delivery: &'d Delivery,
    body: Bytes,
    items: u64,
    is_settled: bool,
}

// === impl Delivery ===

impl Delivery {
    pub(super) fn new(way: Way, spool: Option<Arc<Spool>>, fate: Arc<Fate>, closing: Closing) -> Self {
        let (spooled, is_away, tries_one) = (Notify::new(), AtomicBool::new(false), AtomicBool::new(false));
        Self { way, spool, fate, closing, spooled, is_away, tries_one, taken: AtomicU64::new(0) }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    pub(super) fn spool(&self) -> Option<&Arc<Spool>> {
        self.spool.as_ref()
    }

    pub(super) fn fate(&self) -> &Arc<Fate> {
        &self.fate
    }

    pub(super) fn closing(&self) -> &Closing {
        &self.closing
    }

    /// What became of all; `waiting` are queued beside those on their way.
    pub(super) fn account(&self, waiting: u64) -> Account {
        let mut account = self.fate.account(waiting);
        if let Some(spool) = &self.spool {
            let spool = spool.status();
            account.spooled = spool.items;
            account.dropped.spool_lost = spool.lost_items;
            account.replayed.waiting = spool.earlier_items;
        }
        account
    }

    /// Delivers a request, and returns when its items are exported, spooled or lost: by the end of a shutdown's time at
    /// the latest.
    pub(super) async fn deliver(&self, body: Bytes, items: u64) {
        let under_way = UnderWay::new(self, body, items);
        if self.is_away() && !self.tries_one.swap(false, Ordering::Relaxed) {
            return under_way.spool(Reason::ExportFailed);
        }
        let started = Instant::now();
        let result = tokio::select! {
            result = self.send(under_way.body.clone()) => result,
            () = self.closing.over() => return under_way.spool(Reason::Shutdown),
        };
        let error = result.as_ref().err().map(|failure| failure.error_type().to_owned());
        self.fate.operated(items, started.elapsed(), error);
        match result {
            Ok(rejected) => under_way.arrived(rejected),
            Err(failure) if failure.verdict == Verdict::BadRequest => under_way.refused(&failure),
            Err(failure) => {
                self.failed(&failure);
                under_way.spool(Reason::ExportFailed);
            }
        }
    }

    /// Puts a request aside that there is no time to send.
    pub(super) fn put_aside(&self, body: Bytes, items: u64, reason: Reason) {
        UnderWay::new(self, body, items).spool(reason);
    }

    /// A collector has taken something.
    pub(super) fn worked(&self) {
        self.is_away.store(false, Ordering::Relaxed);
        self.fate.working();
    }

    /// A collector did not take something: nothing else is tried until it has taken what is in the spool.
    pub(super) fn failed(&self, failure: &Failure) {
        self.is_away.store(true, Ordering::Relaxed);
        self.fate.failing(&|| failure.to_string());
    }

    /// What is in the spool was refused. Lets the next request be tried, for it may be no fault of the collector's; says how
    /// many were taken so far without having been there.
    pub(super) fn try_another(&self) -> u64 {
        self.tries_one.store(true, Ordering::Relaxed);
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until something is put into the spool.
    pub(super) async fn spooled(&self) {
        self.spooled.notified().await;
    }

    fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed) && self.spool.as_ref().is_some_and(|spool| !spool.is_empty())
    }

    async fn send(&self, body: Bytes) -> Result<Option<Rejected>, Failure> {
        match (&self.way, &self.spool) {
            // The spool tries again, and for longer.
            (Way::Collector(sender), Some(_)) => sender.attempt(body).await,
            (Way::Collector(sender), None) => {
                sender.send(body, |failure| self.fate.failing(&|| failure.to_string())).await
            }
            (Way::Stdout, _) => print(body).await.map(|()| None).map_err(|error| Failure::stdout(&error)),
        }
    }
}

/// On a thread of its own: whoever reads it may have stopped reading.
async fn print(body: Bytes) -> io::Result<()> {
    let printing = tokio::task::spawn_blocking(move || {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&body)?;
        stdout.flush()
    });
    printing.await.map_err(io::Error::other)?
}

// === impl UnderWay ===

impl<'d> UnderWay<'d> {
    fn new(delivery: &'d Delivery, body: Bytes, items: u64) -> Self {
        delivery.fate.left(items);
        Self { delivery, body, items, is_settled: false }
    }

    /// Always says that the collector works: it has answered.
    fn arrived(mut self, rejected: Option<Rejected>) {
        let (delivery, fate) = (self.delivery, &self.delivery.fate);
        self.settle();
        let rejected = rejected.map_or(0, |rejected| {
            let items = rejected.items.min(self.items);
            fate.rejected(items, false, &rejected.message);
            items
        });
        fate.exported(self.items - rejected, false);
        delivery.taken.fetch_add(1, Ordering::Relaxed);
        delivery.worked();
    }

    /// It would be refused again. What is not this request's fault is the collector's to say otherwise.
    fn refused(mut self, failure: &Failure) {
        self.settle();
        self.delivery.fate.rejected(self.items, false, &failure.to_string());
    }

    /// Keeps it on disk; if that is not possible, it is lost, for `reason` where there is no spool.
    fn spool(mut self, reason: Reason) {
        self.settle();
        let fate = &self.delivery.fate;
        let Some(spool) = self.delivery.spool.as_ref().filter(|_| self.body.len() <= LARGEST_SPOOLED) else {
            return fate.dropped(self.items, reason);
        };
        match spool.append(&self.body, self.items) {
            Ok(()) => self.delivery.spooled.notify_one(),
            Err(refused) => {
                fate.dropped(self.items, Reason::SpoolFailed);
                fate.tell_spool_failed(&refused.to_string());
            }
        }
    }

    fn settle(&mut self) {
        self.is_settled = true;
        self.delivery.fate.settled(self.items);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.settle();
            self.delivery.fate.dropped(self.items, Reason::ExportFailed);
        }
    }
}
