//! How long the orders took: percentiles, and a histogram drawn as text.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::waterfall::duration;

/// The longest time that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How exactly a time is kept: to three digits.
const DIGITS: u8 = 3;

/// Where a bucket begins in each decade: as even steps on a logarithmic scale as round numbers allow.
const STEPS: [u64; 6] = [10, 15, 20, 30, 50, 70];

/// The shortest time that has a bucket of its own, in microseconds; in tenths because of the steps above.
const SHORTEST_TENTH: u64 = 10;

/// How long the longest bar is.
const BAR: u64 = 40;

/// Times, in microseconds.
#[derive(Debug)]
pub(super) struct Latencies(Histogram<u64>);

/// One bar: the orders that took less than a time, and not less than the bar's before.
#[derive(Debug, PartialEq)]
struct Bucket {
    from: u64,
    to: u64,
    count: u64,
}

// === impl Latencies ===

impl Latencies {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, micros(LONGEST), DIGITS);
        Self(histogram.expect("an hour in microseconds and three digits are within its limits"))
    }

    /// Adds one.
    pub(super) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(micros(latency));
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that `share` of them did not exceed, for a reader; `-` where there is none.
    pub(super) fn quantile(&self, share: f64) -> String {
        if self.0.is_empty() { "-".to_owned() } else { shown(self.0.value_at_quantile(share)) }
    }

    /// `p50 8.1 ms   p90 …`
    pub(super) fn percentiles(&self) -> String {
        let named = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
        named.map(|(name, share)| format!("{name} {}", self.quantile(share))).join("   ")
    }

    /// The histogram, a bar a line; nothing where there is no time.
    pub(super) fn bars(&self) -> String {
        let buckets = self.buckets();
        let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or_default();
        buckets.iter().map(|bucket| bucket.line(most)).collect()
    }

    /// From the first bucket that holds something to the last, those between them too.
    fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = Vec::new();
        let mut edges = edges();
        let mut bucket = Bucket { from: 0, to: edges.next().unwrap_or_default(), count: 0 };
        for recorded in self.0.iter_recorded() {
            while recorded.value_iterated_to() >= bucket.to {
                let next = edges.next().unwrap_or(u64::MAX);
                let full = std::mem::replace(&mut bucket, Bucket { from: 0, to: next, count: 0 });
                bucket.from = full.to;
                // Those before the first order are left out.
                if full.count > 0 || !buckets.is_empty() {
                    buckets.push(full);
                }
            }
            bucket.count += recorded.count_since_last_iteration();
        }
        if bucket.count > 0 {
            buckets.push(bucket);
        }
        buckets
    }
}

/// 100 µs, 150 µs, 200 µs, … without end.
fn edges() -> impl Iterator<Item = u64> {
    let decades = std::iter::successors(Some(SHORTEST_TENTH), |decade| decade.checked_mul(10));
    decades.flat_map(|decade| STEPS.map(|step| step.saturating_mul(decade)))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn shown(micros: u64) -> String {
    duration(micros.saturating_mul(1_000))
}

// === impl Bucket ===

impl Bucket {
    fn line(&self, most: u64) -> String {
        let cells = usize::try_from(self.count * BAR / most.max(1)).unwrap_or_default();
        let bar = match (self.count, cells) {
            (0, _) => String::new(),
            (_, 0) => "▏ ".to_owned(),
            (_, cells) => "█".repeat(cells) + " ",
        };
        format!("  {:>7} to {:>7}  {bar}{}\n", shown(self.from), shown(self.to), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[u64]) -> Latencies {
        let mut latencies = Latencies::new();
        micros.iter().for_each(|micros| latencies.record(Duration::from_micros(*micros)));
        latencies
    }

    #[test]
    fn buckets_grow_by_even_steps() {
        let edges: Vec<_> = edges().take(13).collect();
        assert_eq!(edges, [100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000, 10_000]);
    }

    #[test]
    fn each_time_is_in_one_bucket_and_none_between_the_first_and_the_last_is_left_out() {
        let bucket = |from, to, count| Bucket { from, to, count };
        assert_eq!(of(&[]).buckets(), []);
        assert_eq!(of(&[0]).buckets(), [bucket(0, 100, 1)]);
        assert_eq!(of(&[99, 100]).buckets(), [bucket(0, 100, 1), bucket(100, 150, 1)]);
        let expected = [bucket(1000, 1500, 2), bucket(1500, 2000, 0), bucket(2000, 3000, 1)];
        assert_eq!(of(&[1000, 1499, 2000]).buckets(), expected);
    }

    #[test]
    fn every_time_is_counted() {
        let times: Vec<_> = (0..5_000).map(|number| number * number * 7 + 3).collect();
        let latencies = of(&times);
        assert_eq!(latencies.buckets().iter().map(|bucket| bucket.count).sum::<u64>(), 5_000);
        assert_eq!(latencies.count(), 5_000);
    }

    #[test]
    fn the_longest_bar_is_forty_cells_and_the_shortest_is_seen() {
        let lines = of(&[&[1_200; 100][..], &[1_700]].concat()).bars();
        assert_eq!(lines, format!("   1.0 ms to  1.5 ms  {} 100\n   1.5 ms to  2.0 ms  ▏ 1\n", "█".repeat(40)));
    }

    #[test]
    fn percentiles_are_those_of_the_times() {
        let times: Vec<_> = (1..=1_000).map(|number| number * 1_000).collect();
        assert_eq!(of(&times).percentiles(), "p50 500 ms   p90 900 ms   p99 990 ms   p99.9 999 ms   max 1.00 s");
        assert_eq!(of(&[]).quantile(0.5), "-");
    }

    #[test]
    fn what_takes_longer_than_can_be_told_counts_as_the_longest() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::MAX);
        assert_eq!(latencies.quantile(1.0), "3600.81 s");
        assert_eq!(latencies.buckets().len(), 1);
    }
}
