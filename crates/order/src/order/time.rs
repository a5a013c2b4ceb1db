//! Moments as the store keeps them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment to the microsecond, so that an answer and the store never differ in what is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    micros: i64,
}

// === impl Timestamp ===

impl Timestamp {
    pub(crate) fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { micros: i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX) }
    }

    /// The moment `micros` microseconds after the beginning of 1970 (UTC).
    pub(crate) fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// The moment `later` after this one.
    pub(crate) fn plus(self, later: Duration) -> Self {
        Self { micros: self.micros.saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX)) }
    }

    /// Microseconds since the beginning of 1970 (UTC).
    pub(crate) fn as_micros(self) -> i64 {
        self.micros
    }
}
