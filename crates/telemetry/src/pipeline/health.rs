use std::time::{Duration, Instant, SystemTime};

/// How long nothing may fail before exporting counts as working again.
const QUIET: Duration = Duration::from_secs(1);

/// The same of one that keeps failing again: who flaps is told of once a minute at most.
const LONGEST_QUIET: Duration = Duration::from_secs(60);

/// Whether exporting works, as it is told to people: a change is one, not each request that fails.
#[derive(Clone, Debug)]
pub(super) struct Health {
    state: State,
    since: SystemTime,
    /// Why it fails, or has failed last.
    error: Option<String>,
    failed_last: Option<Instant>,
    quiet: Duration,
    /// What was lost before it began to fail.
    lost_before: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was sent yet.
    Untried,
    Working,
    Failing,
}

/// Exporting works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recovered {
    pub(super) since: SystemTime,
    /// What was lost meanwhile.
    pub(super) lost: u64,
}

// === impl Health ===

impl Health {
    pub(super) fn new() -> Self {
        Self {
            state: State::Untried,
            since: SystemTime::now(),
            error: None,
            failed_last: None,
            quiet: QUIET,
            lost_before: 0,
        }
    }

    /// A request was not taken, for the reason that `error` tells; `lost` were lost so far. Whether that is news.
    pub(super) fn failed(&mut self, now: Instant, error: impl FnOnce() -> String, lost: u64) -> bool {
        let is_news = self.state != State::Failing;
        if is_news {
            let is_relapse = self.failed_last.is_some_and(|last| now.duration_since(last) < LONGEST_QUIET);
            self.quiet = if is_relapse { (self.quiet * 2).min(LONGEST_QUIET) } else { QUIET };
            self.change(State::Failing);
            self.lost_before = lost;
        }
        self.failed_last = Some(now);
        self.error = Some(error());
        is_news
    }

    /// A request was taken; `lost` were lost so far. Says so if that ends a failure.
    pub(super) fn worked(&mut self, now: Instant, lost: u64) -> Option<Recovered> {
        match self.state {
            State::Working => None,
            State::Untried => {
                self.change(State::Working);
                None
            }
            State::Failing if self.failed_last.is_some_and(|last| now.duration_since(last) < self.quiet) => None,
            State::Failing => {
                let recovered = Recovered { since: self.since, lost: lost.saturating_sub(self.lost_before) };
                self.change(State::Working);
                Some(recovered)
            }
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn since(&self) -> SystemTime {
        self.since
    }

    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn change(&mut self, state: State) {
        (self.state, self.since) = (state, SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of what happened so many seconds after the start: `false` fails, `true` works.
    fn told(events: &[(f64, bool)]) -> Vec<f64> {
        let (start, mut health) = (Instant::now(), Health::new());
        let mut changes = Vec::new();
        for (at, works) in events {
            let now = start + Duration::from_secs_f64(*at);
            let is_change = if *works { health.worked(now, 0).is_some() } else { health.failed(now, String::new, 0) };
            if is_change {
                changes.push(*at);
            }
        }
        changes
    }

    #[test]
    fn each_change_is_one_however_many_requests_fail() {
        assert!(told(&[(0.0, true), (1.0, true)]).is_empty());
        let outage = [(1.0, false), (2.0, false), (30.0, false), (33.0, true), (34.0, true)];
        assert_eq!(told(&outage), [1.0, 33.0]);
    }

    #[test]
    fn one_request_that_is_taken_among_others_that_are_not_is_no_recovery() {
        let every_other = (0..100).map(|at| (f64::from(at) / 10.0, at % 2 == 1));
        assert_eq!(told(&every_other.collect::<Vec<_>>()), [0.0]);
    }

    #[test]
    fn who_flaps_is_told_of_more_and_more_rarely() {
        let flapping = (0..3600).map(|at| (f64::from(at) * 1.5, at % 2 == 1));
        let changes = told(&flapping.collect::<Vec<_>>()).len();
        assert!((3..40).contains(&changes), "{changes}");
        // A new outage after a long time is told of as the first one was.
        let healed = [(0.0, false), (2.0, true), (100.0, false), (101.5, true)];
        assert_eq!(told(&healed), [0.0, 2.0, 100.0, 101.5]);
    }

    #[test]
    fn a_recovery_says_what_its_outage_has_cost() {
        let (start, mut health) = (Instant::now(), Health::new());
        health.failed(start, || "down".to_owned(), 10);
        health.failed(start, || "still down".to_owned(), 15);
        assert_eq!((health.state(), health.error()), (State::Failing, Some("still down")));
        assert_eq!(health.worked(start + QUIET, 17).unwrap().lost, 7);
        assert_eq!(health.state(), State::Working);
    }
}
