//! What became of the orders.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use proto::types::v1::OrderState;

use crate::columns::printable;
use crate::connection::causes;
use crate::load::latencies::Latencies;
use crate::load::schedule::Schedule;
use crate::order::code_name;
use crate::shop::Placed;

/// How many failures that differ are told.
const MOST_TOLD: usize = 5;

/// The counts of a load.
#[derive(Debug)]
pub(super) struct Tally {
    /// What was asked for.
    pub(super) schedule: Schedule,
    /// How many orders were sent.
    pub(super) sent: u64,
    /// How each of them ended, and those that were not sent.
    pub(super) outcomes: BTreeMap<Outcome, u64>,
    /// How long the answered ones took, each from when it was due.
    pub(super) latencies: Latencies,
    /// The first failures that differ.
    pub(super) failures: Vec<Failure>,
    /// How long after it was due an order was started at most.
    pub(super) latest: Duration,
    /// Whether the load was ended early.
    pub(super) interrupted: bool,
    /// How long all of it took.
    pub(super) took: Duration,
}

/// An order that was sent, and has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) placed: anyhow::Result<Placed>,
    /// Since it was due.
    pub(super) latency: Duration,
}

/// How an order ended; only the first is as expected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// OK, and paid.
    Paid,
    /// OK, and in another state.
    Unsettled(&'static str),
    /// A status with another code.
    Refused(String),
    /// No answer until the deadline.
    Unanswered,
    /// The connection ended before the answer was there.
    Broken,
    /// It was still under way when the load was ended at once.
    Abandoned,
    /// Nothing answers at the gateway any more.
    Unreachable,
    /// Too many were under way.
    NotStarted,
}

/// A failure, told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) message: String,
    /// The trace of the first order it happened to.
    pub(super) trace_id: Option<String>,
}

// === impl Tally ===

impl Tally {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            sent: 0,
            outcomes: BTreeMap::new(),
            latencies: Latencies::new(),
            failures: Vec::new(),
            latest: Duration::ZERO,
            interrupted: false,
            took: Duration::ZERO,
        }
    }

    /// Counts an order that is sent so long after it was due.
    pub(super) fn start(&mut self, late: Duration) {
        self.sent += 1;
        self.latest = self.latest.max(late);
    }

    /// Counts how an order ended.
    ///
    /// # Errors
    /// When the gateway could not be reached and none was answered before: then there is nothing to load.
    pub(super) fn record(&mut self, ended: Ended) -> anyhow::Result<()> {
        let placed = match ended.placed {
            Ok(placed) => placed,
            Err(error) if self.latencies.count() == 0 => return Err(error),
            Err(error) => {
                self.fail(Outcome::Unreachable, format!("{error:#}"), None);
                return Ok(());
            }
        };
        let (outcome, message) = judge(&placed);
        if !matches!(outcome, Outcome::Unanswered | Outcome::Broken) {
            self.latencies.record(ended.latency);
        }
        match message {
            None => self.count(outcome, 1),
            Some(message) => self.fail(outcome, message, placed.trace_id),
        }
        Ok(())
    }

    /// Counts an order that was due while so many were under way.
    pub(super) fn refuse(&mut self, in_flight: usize) {
        self.fail(Outcome::NotStarted, format!("{in_flight} orders were under way already"), None);
    }

    /// Counts the orders that are not waited for any longer.
    pub(super) fn abandon(&mut self, orders: usize) {
        if orders > 0 {
            self.count(Outcome::Abandoned, u64::try_from(orders).unwrap_or(u64::MAX));
        }
    }

    /// How many ended like that.
    pub(super) fn of(&self, outcome: &Outcome) -> u64 {
        self.outcomes.get(outcome).copied().unwrap_or_default()
    }

    /// How many orders ended otherwise than expected.
    pub(super) fn failed(&self) -> u64 {
        self.outcomes.iter().filter(|(outcome, _)| !outcome.is_expected()).map(|(_, count)| count).sum()
    }

    /// Whether no order failed.
    pub(super) fn is_well(&self) -> bool {
        self.failed() == 0
    }

    fn fail(&mut self, outcome: Outcome, message: String, trace_id: Option<String>) {
        // One connection that breaks is told in other words to each order that was under way on it.
        let known = |failure: &Failure| {
            failure.outcome == outcome && (outcome == Outcome::Broken || failure.message == message)
        };
        if self.failures.len() < MOST_TOLD && !self.failures.iter().any(known) {
            self.failures.push(Failure { outcome: outcome.clone(), message, trace_id });
        }
        self.count(outcome, 1);
    }

    fn count(&mut self, outcome: Outcome, orders: u64) {
        *self.outcomes.entry(outcome).or_default() += orders;
    }
}

/// How an order ended, with what there is to say of a failure.
fn judge(placed: &Placed) -> (Outcome, Option<String>) {
    match &placed.outcome {
        Some(Ok(order)) if order.state() == OrderState::Paid => (Outcome::Paid, None),
        Some(Ok(order)) => {
            let state = order.state().as_str_name().trim_start_matches("ORDER_STATE_");
            (Outcome::Unsettled(state), Some(format!("order {}", printable(&order.id))))
        }
        Some(Err(status)) => match causes(status).last() {
            Some(cause) => {
                (Outcome::Broken, Some(format!("the first time because of `{}`", printable(&cause.to_string()))))
            }
            None => (Outcome::Refused(code_name(status.code())), Some(printable(status.message()))),
        },
        None => (Outcome::Unanswered, Some("though its deadline has passed".to_owned())),
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether this is how every order should end. One that the caller did not wait for says nothing of the shop.
    fn is_expected(&self) -> bool {
        matches!(self, Self::Paid | Self::Abandoned)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paid => f.pad("OK"),
            Self::Unsettled(state) => f.pad(&format!("OK, {state}")),
            Self::Refused(code) => f.pad(code),
            Self::Unanswered => f.pad("no answer"),
            Self::Broken => f.pad("the connection broke"),
            Self::Abandoned => f.pad("not waited for"),
            Self::Unreachable => f.pad("gateway gone"),
            Self::NotStarted => f.pad("could not be started"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
