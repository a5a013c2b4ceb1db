use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use tokio::runtime::Handle;

use super::buffers::{Buffers, Framing};
use super::closing::Closing;
use super::delivery::{Delivery, Way};
use super::encode;
use super::exporter::{Exporter, exporter};
use super::fate::Fate;
use super::otlp::Otlp;
use super::queue::Queue;
use super::replay::{LOOK_AROUND, replay};
use super::report::Account;
use super::signal::Signal;
use super::spool::Spools;
use crate::environment::Environment;

/// How soon a console shows a span, in milliseconds, for a person who waits for it.
const CONSOLE_DELAY: u64 = 100;

/// How long an item may wait in memory where there is a disk to wait on: a process that is killed loses no more.
const LONGEST_IN_MEMORY: Duration = Duration::from_secs(1);

/// What the ways out of all signals have in common.
pub(super) struct Setup<'e> {
    pub(super) environment: &'e Environment,
    pub(super) resource: Resource,
    pub(super) runtime: &'e Handle,
    pub(super) closing: Closing,
    pub(super) spools: Option<Spools>,
}

/// One signal's way out.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// `None` if it is not exported.
    pub(super) delivery: Option<Arc<Delivery>>,
    /// `None` if it does not wait: metrics are collected when they leave.
    pub(super) queue: Option<Queue>,
}

/// How items are batched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batches {
    pub(super) most: usize,
    pub(super) batch: usize,
    pub(super) delay: Duration,
}

// === impl Setup ===

impl Setup<'_> {
    /// What the environment chooses for a signal, and where it goes to. The variable `limit` says how long one request may
    /// take, if the exporter's own settings allow more.
    pub(super) fn delivery(&self, signal: Signal, limit: &str) -> (Exporter, Option<Arc<Delivery>>) {
        let limit = self.environment.limit(limit, 30_000);
        let exporter = exporter(self.environment, signal);
        let (fate, closing) = (Arc::new(Fate::new(signal)), self.closing.clone());
        let delivery = match exporter {
            Exporter::None => None,
            Exporter::Console => Some(Arc::new(Delivery::new(Way::Stdout, None, fate, closing))),
            Exporter::Otlp => {
                let sender = Otlp::of(self.environment, signal).sender(self.runtime).within(limit);
                let spool = self.spools.as_ref().map(|spools| spools.of(signal));
                let delivery =
                    Arc::new(Delivery::new(Way::Collector(Box::new(sender.clone())), spool.clone(), fate, closing));
                if let Some(spool) = spool {
                    self.runtime.spawn(replay(Arc::clone(&delivery), spool, sender, LOOK_AROUND));
                }
                Some(delivery)
            }
        };
        (exporter, delivery)
    }

    /// What waits for `delivery`.
    pub(super) fn queue(&self, exporter: Exporter, batches: Batches, delivery: &Arc<Delivery>) -> Queue {
        let framing = match exporter {
            Exporter::Console => Framing::Text,
            Exporter::Otlp | Exporter::None => {
                let mut resource = Vec::new();
                encode::resource(&self.resource, &mut resource);
                Framing::Otlp { resource }
            }
        };
        let longest = if delivery.spool().is_some() { LONGEST_IN_MEMORY } else { Duration::MAX };
        let buffers = Buffers::new(framing, batches.most, batches.batch);
        Queue::new(buffers, batches.delay.min(longest), delivery, self.runtime)
    }

    /// How items are batched, by three variables; `delay` is the default of the first, in milliseconds.
    pub(super) fn batches(&self, [schedule, queue, batch]: [&str; 3], exporter: Exporter, delay: u64) -> Batches {
        let most = self.environment.number(queue, 1, 2048);
        let batch = self.environment.number(batch, 1, 512).min(most);
        let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let delay = if exporter == Exporter::Console { CONSOLE_DELAY } else { delay };
        Batches { most: size(most), batch: size(batch), delay: self.environment.milliseconds(schedule, delay) }
    }
}

// === impl Lane ===

impl Lane {
    /// Of a signal that is not exported.
    pub(super) const OFF: Self = Self { delivery: None, queue: None };

    pub(super) fn account(&self) -> Account {
        let waiting = self.queue.as_ref().map_or(0, |queue| queue.buffers().waiting() as u64);
        self.delivery.as_ref().map(|delivery| delivery.account(waiting)).unwrap_or_default()
    }

    /// Returns when all that has ended so far is exported, spooled or lost; with `closes`, nothing is taken from now on.
    pub(super) async fn flush(&self, closes: bool) {
        if let Some(queue) = &self.queue {
            queue.flush(closes).await;
        }
    }
}
