use std::sync::atomic::{AtomicU64, Ordering};

const SECOND: u64 = 1_000_000_000;

/// A rate, as the nanoseconds between one and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace(u64);

/// What may be had at a pace: in any stretch of time as many as the pace makes of it, and those of one more second, or
/// one more. One atomic number, so nobody waits for anybody.
///
/// Times are nanoseconds of a clock that only goes forward.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// When the next one would be due if they came evenly (the generic cell rate algorithm, ITU-T I.371).
    due: AtomicU64,
}

// === impl Pace ===

impl Pace {
    /// `rate` is more than 0.
    pub(super) fn per_second(rate: f64) -> Self {
        // The conversion of a float saturates.
        Self((SECOND as f64 / rate) as u64)
    }

    pub(super) fn nanoseconds(self) -> u64 {
        self.0
    }

    pub(super) fn of_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }
}

// === impl Allowance ===

impl Allowance {
    /// Takes one, if there is one at `now`.
    pub(super) fn take(&self, now: u64, pace: Pace) -> bool {
        let ahead = SECOND.saturating_sub(pace.0);
        let taken = |due: u64| (due <= now.saturating_add(ahead)).then(|| due.max(now).saturating_add(pace.0));
        self.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(allowance: &Allowance, now: u64, pace: Pace) -> usize {
        (0..1000).take_while(|_| allowance.take(now, pace)).count()
    }

    #[test]
    fn a_seconds_worth_may_be_taken_at_once_and_comes_back_evenly() {
        let (allowance, pace) = (Allowance::default(), Pace::per_second(20.0));
        assert_eq!(taken(&allowance, 5 * SECOND, pace), 20);
        assert_eq!(taken(&allowance, 5 * SECOND + SECOND / 20, pace), 1);
        assert_eq!(taken(&allowance, 500 * SECOND, pace), 20);
    }

    #[test]
    fn a_rate_below_one_a_second_still_gives_one() {
        let (allowance, pace) = (Allowance::default(), Pace::per_second(0.1));
        assert_eq!(taken(&allowance, 0, pace), 1);
        assert_eq!(taken(&allowance, 9 * SECOND, pace), 0);
        assert_eq!(taken(&allowance, 10 * SECOND, pace), 1);
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_gives_more_than_its_own_and_a_second(
            rate in 0.1_f64..500.0,
            gaps in prop::collection::vec(0_u64..300_000_000, 1..300),
        ) {
            let (allowance, pace) = (Allowance::default(), Pace::per_second(rate));
            let (mut now, mut times) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                times.extend(allowance.take(now, pace).then_some(now));
            }
            for (first, start) in times.iter().enumerate() {
                for (last, end) in times.iter().enumerate().skip(first) {
                    let most = rate * ((end - start) as f64 / SECOND as f64) + rate.max(1.0);
                    prop_assert!((last - first + 1) as f64 <= most + 0.001);
                }
            }
        }
    }
}
