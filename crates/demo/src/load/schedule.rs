//! When each order is due.

use std::thread;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep_until;

/// Longer than the step of tokio's timer, which is a millisecond.
const TIMER_STEP: Duration = Duration::from_millis(2);

/// So many orders a second, for so long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Orders a second.
    pub(super) rate: u32,
    /// For how long orders are due.
    pub(super) duration: Duration,
}

// === impl Schedule ===

impl Schedule {
    /// When orders are due in a load that started then: the first at once, the others evenly spread.
    pub(super) fn due_times(self, started: Instant) -> impl Iterator<Item = Instant> {
        let offsets = (0..).map(move |number| self.offset(number));
        offsets.take_while(move |offset| *offset < self.duration).map_while(move |offset| started.checked_add(offset))
    }

    fn offset(self, number: u64) -> Duration {
        let rate = u64::from(self.rate);
        // Second by second: nothing is rounded that could add up.
        Duration::from_secs(number / rate) + Duration::from_secs(number % rate) / self.rate
    }
}

/// Waits until `due` and returns it. The last moment is slept by a thread, because tokio's timer is up to a millisecond
/// late, and that would count to the order's latency.
pub(super) async fn reached(due: Instant) -> Instant {
    if let Some(nearly) = due.checked_sub(TIMER_STEP) {
        sleep_until(nearly.into()).await;
    }
    let rest = due.saturating_duration_since(Instant::now());
    if !rest.is_zero() {
        // It fails only while the process ends.
        let _ = spawn_blocking(move || thread::sleep(rest)).await;
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rate: u32, duration: Duration, expected: &[u64]) {
        let started = Instant::now();
        let due_times = Schedule { rate, duration }.due_times(started);
        let offsets: Vec<_> = due_times.map(|due| due.duration_since(started)).collect();
        assert_eq!(offsets, expected.iter().map(|micros| Duration::from_micros(*micros)).collect::<Vec<_>>());
    }

    #[test]
    fn orders_are_due_evenly_from_the_start_and_none_at_the_end() {
        check(4, Duration::from_secs(1), &[0, 250_000, 500_000, 750_000]);
        check(2, Duration::from_millis(1_001), &[0, 500_000, 1_000_000]);
        check(1, Duration::from_millis(1), &[0]);
        check(1, Duration::ZERO, &[]);
    }

    #[test]
    fn no_rounding_adds_up() {
        let started = Instant::now();
        let schedule = Schedule { rate: 7, duration: Duration::from_secs(1_000) };
        assert_eq!(schedule.due_times(started).count(), 7_000);
        assert_eq!(schedule.due_times(started).nth(7 * 999), started.checked_add(Duration::from_secs(999)));
    }

    #[tokio::test]
    async fn a_time_is_reached_neither_before_it_nor_after_it_has_passed() {
        let due = Instant::now() + Duration::from_millis(5);
        assert_eq!(reached(due).await, due);
        assert!(Instant::now() >= due);
        assert_eq!(reached(due).await, due);
    }
}
