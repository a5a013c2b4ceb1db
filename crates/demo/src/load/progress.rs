//! What is told while the load runs: on a terminal one line that changes each second, elsewhere a line now and then.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::time::{Instant, Interval, interval_at};

use crate::load::tally::{Outcome, Tally};
use crate::screen;

/// How often the line on a terminal changes.
const LIVE: Duration = Duration::from_secs(1);

/// How often a log gets a line.
const LOGGED: Duration = Duration::from_secs(10);

/// Stderr, told how the load goes.
#[derive(Debug)]
pub(super) struct Progress {
    live: bool,
    interval: Interval,
}

// === impl Progress ===

impl Progress {
    pub(super) fn new() -> Self {
        let live = io::stderr().is_terminal();
        let period = if live { LIVE } else { LOGGED };
        Self { live, interval: interval_at(Instant::now() + period, period) }
    }

    /// Waits until there is something to show.
    pub(super) async fn due(&mut self) {
        self.interval.tick().await;
    }

    /// Shows how it goes.
    pub(super) fn show(&self, elapsed: Duration, tally: &Tally, in_flight: usize) {
        let line = line(elapsed, tally, in_flight);
        if self.live {
            screen::overwrite(&line);
        } else {
            screen::complain(line);
        }
    }

    /// Says something that stays.
    pub(super) fn tell(&self, text: String) {
        screen::overwrite("");
        screen::complain(text);
    }

    /// Takes away the line.
    pub(super) fn clear(&self) {
        screen::overwrite("");
    }
}

fn line(elapsed: Duration, tally: &Tally, in_flight: usize) -> String {
    let times = format!("p50 {}  p99 {}", tally.latencies.quantile(0.5), tally.latencies.quantile(0.99));
    let (seconds, sent, paid) = (elapsed.as_secs(), tally.sent, tally.of(&Outcome::Paid));
    format!("{seconds:>4} s  sent {sent}  OK {paid}  failed {}  under way {in_flight}  {times}", tally.failed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::schedule::Schedule;

    #[test]
    fn a_line_says_how_the_load_goes() {
        let mut tally = Tally::new(Schedule { rate: 25, duration: Duration::from_secs(30) });
        tally.start(Duration::ZERO);
        tally.refuse(1_000);
        let line = line(Duration::from_millis(3_900), &tally, 1);
        assert_eq!(line, "   3 s  sent 1  OK 0  failed 1  under way 1  p50 -  p99 -");
    }
}
