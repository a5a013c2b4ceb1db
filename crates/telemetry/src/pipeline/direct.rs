//! From the end of a span to a collector: encoded at once, sent by one task, several requests at a time.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::buffers::{Added, Buffers, Request};
use super::counted::Fate;
use super::encode;
use super::sender::Sender;

/// How many requests may be on their way at once: with one, a collector that takes 20 ms to answer takes fifty a second.
const MOST_AT_ONCE: usize = 4;

/// How many flushes are answered together.
const MOST_FLUSHES: usize = 64;

/// How long a flush waits that nobody has limited.
const LONGEST_FLUSH: Duration = Duration::from_secs(3600);

/// Takes ended spans for a collector.
#[derive(Debug)]
pub(super) struct Direct {
    buffers: Arc<Buffers>,
    enough: Arc<Notify>,
    flushes: mpsc::UnboundedSender<Flush>,
    fate: Arc<Fate>,
    runtime: Handle,
}

/// Answered once all that had ended before is sent, or given up. There are no more than threads that wait for one.
type Flush = SyncSender<()>;

/// The task that sends.
struct Exporting {
    buffers: Arc<Buffers>,
    enough: Arc<Notify>,
    flushes: mpsc::UnboundedReceiver<Flush>,
    delay: Duration,
    resource: Vec<u8>,
    sender: Sender,
    fate: Arc<Fate>,
    under_way: JoinSet<()>,
}

/// A request that is counted as failed unless it is told to have arrived, also if what sends it panics.
struct UnderWay {
    request: Request,
    buffers: Arc<Buffers>,
    fate: Arc<Fate>,
    has_ended: bool,
}

// === impl Direct ===

impl Direct {
    /// Sends what ends through `sender`, at the latest `delay` after it has, from a task on `runtime`.
    pub(super) fn new(
        buffers: Buffers,
        delay: Duration,
        resource: &Resource,
        sender: Sender,
        fate: Arc<Fate>,
        runtime: &Handle,
    ) -> Self {
        let (buffers, enough) = (Arc::new(buffers), Arc::new(Notify::new()));
        let (flushes, received) = mpsc::unbounded_channel();
        let mut encoded = Vec::new();
        encode::resource(resource, &mut encoded);
        let exporting = Exporting {
            buffers: Arc::clone(&buffers),
            enough: Arc::clone(&enough),
            flushes: received,
            delay,
            resource: encoded,
            sender,
            fate: Arc::clone(&fate),
            under_way: JoinSet::new(),
        };
        runtime.spawn(exporting.run());
        Self { buffers, enough, flushes, fate, runtime: runtime.clone() }
    }

    fn flush(&self, limit: Duration) -> OTelSdkResult {
        let (done, all_done) = sync_channel(1);
        // The task is gone with its runtime: then there is nothing left to wait for.
        if self.flushes.send(done).is_err() {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        all_done.recv_timeout(limit).map_err(|_| OTelSdkError::Timeout(limit))
    }

    fn dropped(&self) {
        if self.fate.dropped() {
            // Not here: the span that has ended is locked, and what is logged would become an event of it.
            let fate = Arc::clone(&self.fate);
            self.runtime.spawn(async move { fate.tell_dropped() });
        }
    }
}

impl SpanProcessor for Direct {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        match self.buffers.add(&span) {
            Added::Waits => {}
            Added::FillsRequest => self.enough.notify_one(),
            Added::Dropped => self.dropped(),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.flush(LONGEST_FLUSH)
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.flush(limit)
    }
}

// === impl Exporting ===

impl Exporting {
    async fn run(mut self) {
        let mut ticks = interval_at(Instant::now() + self.delay, self.delay);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut flushes = Vec::new();
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.enough.notified() => {}
                asked = self.flushes.recv_many(&mut flushes, MOST_FLUSHES) => if asked == 0 { return },
            }
            self.send_all().await;
            if flushes.is_empty() {
                continue;
            }
            while self.under_way.join_next().await.is_some() {}
            for flush in flushes {
                // Whoever asked may have given up.
                let _ = flush.try_send(());
            }
        }
    }

    /// Sends all that waits, but for the last few requests, which are on their way then.
    async fn send_all(&mut self) {
        for request in self.buffers.take(&self.resource) {
            while self.under_way.len() >= MOST_AT_ONCE {
                self.under_way.join_next().await;
            }
            let (buffers, fate) = (Arc::clone(&self.buffers), Arc::clone(&self.fate));
            let under_way = UnderWay { request, buffers, fate, has_ended: false };
            self.under_way.spawn(under_way.send(self.sender.clone()));
        }
    }
}

// === impl UnderWay ===

impl UnderWay {
    async fn send(mut self, sender: Sender) {
        let body = Bytes::from(std::mem::take(&mut self.request.body));
        let result = sender.send(body, |status| self.fate.failing(&sender.told(status))).await;
        self.has_ended = true;
        let spans = self.request.spans as u64;
        match result {
            Ok(None) => self.fate.note(spans, Ok(())),
            Ok(Some(partial)) => {
                let rejected = u64::try_from(partial.rejected_spans).unwrap_or_default().min(spans);
                self.fate.rejected(rejected, &partial.error_message);
                self.fate.note(spans - rejected, Ok(()));
            }
            Err(status) => self.fate.note(spans, Err(&sender.told(&status))),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.buffers.done(&self.request);
        if !self.has_ended {
            self.fate.note(self.request.spans as u64, Err(&"they were given up with their exporter"));
        }
    }
}
