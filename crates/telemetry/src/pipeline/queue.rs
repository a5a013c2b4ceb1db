//! From the end of an item to a request on its way: encoded at once, sent by one task, several requests at a time.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::buffers::{Added, Buffers, Request};
use super::delivery::Delivery;
use super::fate::{Fate, Reason};
use super::wait_for;

/// How many requests may be on their way at once: with one, a collector that takes 20 ms to answer takes fifty a second.
const MOST_AT_ONCE: usize = 16;

/// The same while exporting fails: what tries again and again is not to be many.
const MOST_WHILE_FAILING: usize = 4;

/// How long requests wait for others before they go to the spool: the collector does not answer.
const STALL: Duration = Duration::from_millis(200);

/// Takes the items of one signal. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    buffers: Arc<Buffers>,
    enough: Arc<Notify>,
    asked: mpsc::UnboundedSender<Asked>,
    fate: Arc<Fate>,
    runtime: Handle,
}

/// What is answered once all that had ended before is exported, spooled or lost.
struct Asked {
    /// Nothing is to be taken after that.
    closes: bool,
    done: oneshot::Sender<()>,
}

/// The task that sends.
struct Exporting {
    buffers: Arc<Buffers>,
    enough: Arc<Notify>,
    asked: mpsc::UnboundedReceiver<Asked>,
    delivery: Arc<Delivery>,
    ticks: Interval,
    /// Whether what waits is to be taken.
    is_due: bool,
    /// Requests that wait for others to arrive, and since when.
    taken: VecDeque<Request>,
    waits_since: Instant,
    /// Whether nothing has arrived for so long that requests no longer wait.
    is_stalled: bool,
    under_way: JoinSet<()>,
    /// Which request each task sends. Requests are numbered as they are taken.
    numbers: HashMap<Id, u64>,
    next: u64,
    /// Those who wait, and the number of the request before which all must be done; `None` if not all is taken yet.
    waiting: Vec<(oneshot::Sender<()>, Option<u64>)>,
    is_closing: bool,
}

// === impl Queue ===

impl Queue {
    /// Hands what ends to `delivery`, at the latest `delay` after it has, from a task on `runtime`.
    pub(super) fn new(buffers: Buffers, delay: Duration, delivery: &Arc<Delivery>, runtime: &Handle) -> Self {
        let (buffers, enough) = (Arc::new(buffers), Arc::new(Notify::new()));
        let (asked, received) = mpsc::unbounded_channel();
        let fate = Arc::clone(delivery.fate());
        let queue = Self { buffers, enough, asked, fate, runtime: runtime.clone() };
        let (buffers, enough) = (Arc::clone(&queue.buffers), Arc::clone(&queue.enough));
        let delivery = Arc::clone(delivery);
        runtime.spawn(async move { Exporting::new(buffers, enough, received, delivery, delay).run().await });
        queue
    }

    /// Takes an item that `encode` appends. Never waits.
    pub(super) fn add(&self, scope: &InstrumentationScope, encode: impl FnOnce(&mut Vec<u8>)) {
        self.fate.ended(1);
        match self.buffers.add(scope, encode) {
            Added::Waits => {}
            Added::FillsRequest => self.enough.notify_one(),
            Added::Full => self.dropped(),
            Added::Closed => self.fate.dropped(1, Reason::AlreadyShutdown),
        }
    }

    pub(super) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Returns when all that has ended so far is exported, spooled or lost; with `closes`, nothing is taken from now on.
    pub(super) async fn flush(&self, closes: bool) {
        let (done, all_done) = oneshot::channel();
        // The task has ended already, with all that there was, or it ends with its runtime.
        if self.asked.send(Asked { closes, done }).is_ok() {
            let _ = all_done.await;
        }
    }

    /// The same for a thread that may be held up, for at most `limit`.
    pub(super) fn flush_within(&self, limit: Duration, closes: bool) -> OTelSdkResult {
        let queue = self.clone();
        let is_done = wait_for(&self.runtime, async move { queue.flush(closes).await }, limit);
        if is_done { Ok(()) } else { Err(OTelSdkError::Timeout(limit)) }
    }

    fn dropped(&self) {
        self.fate.dropped(1, Reason::QueueFull);
        if self.fate.is_queue_full_news() {
            // Not here: the span that has ended is locked, and what is logged would become an event of it.
            let fate = Arc::clone(&self.fate);
            self.runtime.spawn(async move { fate.tell_queue_full() });
        }
    }
}

// === impl Exporting ===

impl Exporting {
    fn new(
        buffers: Arc<Buffers>,
        enough: Arc<Notify>,
        asked: mpsc::UnboundedReceiver<Asked>,
        delivery: Arc<Delivery>,
        delay: Duration,
    ) -> Self {
        let mut ticks = interval_at(Instant::now() + delay, delay);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            buffers,
            enough,
            asked,
            delivery,
            ticks,
            is_due: false,
            taken: VecDeque::new(),
            waits_since: Instant::now(),
            is_stalled: false,
            under_way: JoinSet::new(),
            numbers: HashMap::new(),
            next: 0,
            waiting: Vec::new(),
            is_closing: false,
        }
    }

    async fn run(mut self) {
        let delivery = Arc::clone(&self.delivery);
        let (has_spool, mut is_over) = (delivery.spool().is_some(), false);
        loop {
            self.take();
            self.start();
            if is_over {
                self.put_aside(Reason::Shutdown);
            } else if self.is_stalled {
                self.put_aside(Reason::ExportFailed);
            }
            self.answer();
            if self.is_closing && self.waiting.is_empty() {
                return;
            }
            let waits = has_spool && !self.taken.is_empty();
            tokio::select! {
                _ = self.ticks.tick() => self.is_due = true,
                () = self.enough.notified() => self.is_due = true,
                Some(asked) = self.asked.recv() => self.ask(asked),
                Some(ended) = self.under_way.join_next_with_id() => {
                    self.numbers.remove(&ended.map_or_else(|error| error.id(), |(task, ())| task));
                    self.is_stalled = false;
                }
                () = sleep_until(self.waits_since + STALL), if waits => {
                    self.is_stalled = true;
                    // Now, so that what is due already is taken at once.
                    self.put_aside(Reason::ExportFailed);
                }
                () = delivery.closing().over(), if !is_over => is_over = true,
            }
        }
    }

    fn ask(&mut self, asked: Asked) {
        if asked.closes {
            self.buffers.close();
            self.is_closing = true;
        }
        self.waiting.push((asked.done, None));
    }

    /// Takes what waits, if it is time to and nothing that was taken before still waits.
    fn take(&mut self) {
        let is_asked = self.waiting.iter().any(|(_, until)| until.is_none());
        let is_due = self.is_due || is_asked || self.buffers.fill_request();
        if !self.taken.is_empty() || !is_due {
            return;
        }
        self.is_due = false;
        // A panic costs the items that were taken, not the task.
        let taken = catch_unwind(AssertUnwindSafe(|| self.buffers.take()));
        self.taken.extend(taken.into_iter().flatten());
        self.waits_since = Instant::now();
        let until = self.next + self.taken.len() as u64;
        self.waiting.iter_mut().for_each(|(_, waits_for)| *waits_for = waits_for.or(Some(until)));
    }

    /// Sends what was taken, as far as there is room on the way.
    fn start(&mut self) {
        let most = if self.delivery.fate().is_failing() { MOST_WHILE_FAILING } else { MOST_AT_ONCE };
        while self.under_way.len() < most
            && let Some(request) = self.taken.pop_front()
        {
            let room = self.buffers.leave(&request);
            let delivery = Arc::clone(&self.delivery);
            let task = self.under_way.spawn(async move {
                delivery.deliver(request.body, request.items as u64).await;
                drop(room);
            });
            self.numbers.insert(task.id(), self.next);
            self.next += 1;
        }
    }

    /// Keeps on disk what was taken and cannot be sent, or loses it.
    fn put_aside(&mut self, reason: Reason) {
        for request in self.taken.drain(..) {
            let _room = self.buffers.leave(&request);
            self.delivery.put_aside(request.body, request.items as u64, reason);
            self.next += 1;
        }
    }

    /// Answers those for whom all is done.
    fn answer(&mut self) {
        let taken = (!self.taken.is_empty()).then_some(self.next);
        let first = self.numbers.values().copied().chain(taken).min().unwrap_or(u64::MAX);
        let answered = |(_, until): &mut (_, Option<u64>)| until.is_some_and(|until| until <= first);
        for (done, _) in self.waiting.extract_if(.., answered) {
            // Whoever asked may have given up.
            let _ = done.send(());
        }
    }
}
