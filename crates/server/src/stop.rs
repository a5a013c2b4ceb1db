//! The two moments in which a service stops: the drain begins, and what is left is cut.

use tokio_util::sync::{CancellationToken, DropGuard};

/// Says how far a service's stop has come, to every connection and to the servers behind them.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// A child of `cut`: who is cut need not drain first.
    drain: CancellationToken,
    cut: CancellationToken,
}

// === impl Stop ===

impl Stop {
    /// Nothing stops yet.
    pub(crate) fn new() -> Self {
        Self::with(CancellationToken::new())
    }

    fn with(cut: CancellationToken) -> Self {
        Self { drain: cut.child_token(), cut }
    }

    /// Starts the drain: nothing new is taken in, calls in flight may finish.
    pub(crate) fn drain(&self) {
        self.drain.cancel();
    }

    /// Resolves once the drain has begun.
    pub(crate) async fn draining(self) {
        self.drain.cancelled().await;
    }

    /// Cuts every connection that is left.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }

    /// Resolves once what is left is cut.
    pub(crate) async fn cutting(self) {
        self.cut.cancelled().await;
    }

    /// Cuts every connection when dropped, so that none outlives the service, however the service ends.
    pub(crate) fn cut_on_drop(&self) -> DropGuard {
        self.cut.clone().drop_guard()
    }

    /// For a port that is open until the end: it is cut, but does not drain.
    pub(crate) fn without_drain(&self) -> Self {
        Self::with(self.cut.clone())
    }

    /// The same two moments behind locks of their own: a connection asks at each read and write, and a thousand of them
    /// must not meet at one lock.
    pub(crate) fn for_connection(&self) -> Self {
        Self { drain: self.drain.child_token(), cut: self.cut.child_token() }
    }
}
