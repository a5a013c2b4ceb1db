use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, to the microsecond: what the store keeps is what was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    /// Since 1970 (UTC).
    pub(crate) micros: i64,
}

// === impl Timestamp ===

impl Timestamp {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { micros: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) }
    }

    /// The moment `later` after this one.
    pub(crate) fn plus(self, later: Duration) -> Self {
        Self { micros: self.micros.saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX)) }
    }
}
