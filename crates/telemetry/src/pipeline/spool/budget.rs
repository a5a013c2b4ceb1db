use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that the files of one process may take, whatever signal they are of.
#[derive(Debug)]
pub(super) struct Budget {
    most: u64,
    used: AtomicU64,
}

// === impl Budget ===

impl Budget {
    pub(super) fn new(most: u64) -> Self {
        Self { most, used: AtomicU64::new(0) }
    }

    pub(super) fn most(&self) -> u64 {
        self.most
    }

    /// Takes so many, if there are as many left.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let taken = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.most);
        self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    /// Takes so many, which are there already.
    pub(super) fn take_anyway(&self, bytes: u64) {
        self.used.update(Ordering::Relaxed, Ordering::Relaxed, |used| used.saturating_add(bytes));
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.update(Ordering::Relaxed, Ordering::Relaxed, |used| used.saturating_sub(bytes));
    }

    /// Whether so many would fit. To an empty spool everything does: it would never be sent otherwise.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        let used = self.used.load(Ordering::Relaxed);
        used == 0 || used.saturating_add(bytes) <= self.most
    }
}
