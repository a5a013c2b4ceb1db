//! Sending the events that are written down, at least once, those of an order in their order.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use telemetry::{Producer, Telemetry};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::metrics::Metrics;
use crate::notifications::{Notifications, Undelivered};
use crate::outbox::{Fate, Outgoing};
use crate::store::Store;

/// How many events are sent at once, each of another order.
const TOGETHER: i64 = 32;

/// The shortest and the longest pause while nobody is there to take events.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How long the work for one event may take.
const LIMIT: Duration = Notifications::MAX_DEADLINE.saturating_add(database::PATIENCE);

/// Sends events.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) store: Store,
    pub(crate) notifications: Notifications,
    pub(crate) events: Producer,
    pub(crate) telemetry: Telemetry,
    pub(crate) metrics: Metrics,
    /// Told when there may be something to send.
    pub(crate) written: Written,
}

/// Tells the relay of its own process that an event is written. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Notify>);

// === impl Written ===

impl Written {
    pub(crate) fn tell(&self) {
        self.0.notify_one();
    }
}

// === impl Relay ===

impl Relay {
    /// Sends what there is to send, for ever: at once after this process has written it, and every `interval` what others have.
    pub(crate) async fn run(self, interval: Duration) {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.send_all().await {
                if pause > FIRST_PAUSE {
                    info!("events are delivered again");
                }
                pause = FIRST_PAUSE;
                // Told or not: what another instance has left is looked for too.
                let _ = timeout(interval.mul_f64(rand::random_range(0.5..=1.0)), self.written.0.notified()).await;
            } else {
                if pause == FIRST_PAUSE {
                    warn!("events cannot be delivered now; they wait");
                }
                sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        }
    }

    /// Sends until nothing is left to be sent now. `false`: nobody is there to take it, or it cannot be looked for.
    async fn send_all(&self) -> bool {
        loop {
            let Ok(events) = self.store.take_events(TOGETHER).await else { return false };
            if events.is_empty() {
                return true;
            }
            let sent = join_all(events.into_iter().map(|event| self.send(event))).await;
            if sent.contains(&false) {
                return false;
            }
        }
    }

    /// Sends one event, and keeps what has come of that. `false`: nobody is there to take it.
    async fn send(&self, event: Outgoing) -> bool {
        let work = async {
            let sending = self.events.send_created([&event.context]).message_id(&event.id);
            sending.run(self.notifications.deliver(&event)).await
        };
        let (outcome, kept) = match self.telemetry.job("relay_event", [&event.context], LIMIT, work).await {
            Ok(()) => ("DELIVERED", self.store.delivered(&event.id).await),
            Err(Undelivered::Away(_)) => ("AWAY", self.store.give_back(&event.id).await),
            Err(Undelivered::Refused(_)) => {
                let fate = event.fate();
                if fate == Fate::Parked {
                    error!(event.id = %event.id, order.id = %event.order, "an event is refused for good, and parked");
                }
                (if fate == Fate::Parked { "PARKED" } else { "REFUSED" }, self.store.refused(&event.id, &fate).await)
            }
        };
        self.metrics.sent(outcome);
        if let Err(error) = kept {
            // Then it is sent again once its lease has ended, and known by its id.
            warn!(error = &error as &dyn std::error::Error, "what came of an event is not kept");
        }
        outcome != "AWAY"
    }
}
