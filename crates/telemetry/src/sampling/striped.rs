use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// As many as there may be threads at work at once, on most machines.
const STRIPES: usize = 8;

/// The same thing several times, so that threads that change it at once do not wait for each other's caches.
#[derive(Debug)]
pub(super) struct Striped<T>(Box<[Apart<T>]>);

/// As far from its neighbours as processors fetch memory.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// A number that many threads add to.
pub(super) type Counter = Striped<AtomicU64>;

thread_local! {
    static STRIPE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES
    };
}

// === impl Striped ===

impl<T: Default> Default for Striped<T> {
    fn default() -> Self {
        Self(std::iter::repeat_with(Apart::default).take(STRIPES).collect())
    }
}

impl<T> Striped<T> {
    /// This thread's.
    pub(super) fn own(&self) -> &T {
        // A thread that is ending has none of its own any more.
        &self.0[STRIPE.try_with(|stripe| *stripe).unwrap_or_default()].0
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|apart| &apart.0)
    }
}

impl Counter {
    pub(super) fn increment(&self) {
        self.own().fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sum(&self) -> u64 {
        self.all().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The sum, from which it begins anew at 0.
    pub(super) fn take(&self) -> u64 {
        self.all().map(|count| count.swap(0, Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_count_is_their_sum() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| counter.increment()));
            }
        });
        assert_eq!((counter.sum(), counter.take(), counter.sum()), (20_000, 20_000, 0));
    }
}
