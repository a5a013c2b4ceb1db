use serde::Serialize;

use super::settings::SamplingSettings;
use super::striped::Counter;

/// What decides of the traces that a service begins or goes on with, and what was decided so far and why; by
/// [`Telemetry::sampling`](crate::Telemetry::sampling).
///
/// What counts is the first span of a trace in this process: that of a call taken, mostly. The spans below go with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SamplingReport {
    /// What decides.
    pub settings: SamplingSettings,
    /// How often each reason decided.
    pub decisions: Vec<Decided>,
    /// Callers' `sampled` flags beyond [`Sampling::forced_per_second`](crate::Sampling::forced_per_second). What was
    /// decided instead is among the decisions.
    pub refused: u64,
    /// What each method has of [`Sampling::traces_per_second`](crate::Sampling::traces_per_second); empty without it.
    pub shares: Vec<MethodShare>,
    /// What became of the unsampled that were recorded; `None` if none are.
    pub recorded: Option<Recorded>,
}

/// How often one reason decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// `parent`: the caller; `rule NAME`: a rule; `rate`: the traces per second; `always_on`, `always_off`, `ratio`: the
    /// standard sampler.
    pub reason: String,
    /// Traces that it had sampled.
    pub sampled: u64,
    /// Traces that it had not.
    pub unsampled: u64,
}

/// What a method has of the traces per second, by its calls of the second before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodShare {
    /// The span's name.
    pub method: String,
    /// How often it begins a trace.
    pub calls_per_second: f64,
    /// How many of those are let through to its share.
    pub probability: f64,
}

/// What became of unsampled traces that were recorded in case they fail or take long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Kept, because they failed.
    pub kept_failed: u64,
    /// Kept, because they took too long.
    pub kept_slow: u64,
    /// Dropped, because all was well.
    pub dropped: u64,
    /// How many of those kept have lost all spans but their first: there was no room for them.
    pub cut: u64,
}

/// Counts what a reason decides.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sampled: Counter,
    unsampled: Counter,
}

// === impl Tally ===

impl Tally {
    pub(super) fn count(&self, is_sampled: bool) {
        let counter = if is_sampled { &self.sampled } else { &self.unsampled };
        counter.increment();
    }

    pub(super) fn decided(&self, reason: impl Into<String>) -> Decided {
        Decided { reason: reason.into(), sampled: self.sampled.sum(), unsampled: self.unsampled.sum() }
    }
}
