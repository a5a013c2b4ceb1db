use std::time::{Duration, Instant, SystemTime};

/// The bounds, in seconds, of the buckets that the conventions ask for of calls and requests
/// (semantic conventions 1.45, `docs/rpc/rpc-metrics.md` and `docs/http/http-metrics.md`).
pub(crate) const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// When a call, a request or a statement began, by both clocks: spans are dated by the one that people set, durations
/// measured by the one that nobody can set back. A span that ends at [`after`](Self::after) is exactly as long as the
/// duration that is recorded for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    instant: Instant,
    time: SystemTime,
}

// === impl Started ===

impl Started {
    pub(crate) fn now() -> Self {
        // In this order, so that a thread that is interrupted in between makes the span end late and not early: what ran
        // within it stays within it.
        let instant = Instant::now();
        Self { instant, time: SystemTime::now() }
    }

    /// When it began, for a span.
    pub(crate) fn time(self) -> SystemTime {
        self.time
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.instant.elapsed()
    }

    /// When something ends that has taken `elapsed`, for a span.
    pub(crate) fn after(self, elapsed: Duration) -> SystemTime {
        self.time + elapsed
    }
}
