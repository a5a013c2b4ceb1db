use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The one moment by which every signal must be done, once a shutdown has begun. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Closing(Arc<watch::Sender<Option<Instant>>>);

// === impl Closing ===

impl Closing {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Everything must be done by `until`, unless another moment was set before.
    pub(super) fn begin(&self, until: Instant) {
        self.0.send_if_modified(|set| set.is_none() && set.replace(until).is_none());
    }

    /// Waits for the beginning of a shutdown, and says when it must be done.
    pub(super) async fn begun(&self) -> Instant {
        let mut set = self.0.subscribe();
        let until = set.wait_for(Option::is_some).await.ok().and_then(|until| *until);
        match until {
            Some(until) => until,
            // Never: this value holds the sender.
            None => std::future::pending().await,
        }
    }

    /// Waits until a shutdown's time is up.
    pub(super) async fn over(&self) {
        sleep_until(self.begun().await).await;
    }
}
