use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample, SpanProcessor};

use super::allowance::{Allowance, Pace};
use super::fair_rate::FairRate;
use super::first::{self, Decided};
use super::keeper::Keeper;
use super::keeping::Keeping;
use super::report::{SamplingReport, Tally};
use super::room::Room;
use super::rules::Rules;
use super::settings::SamplingSettings;
use super::standard::Standard;
use super::{Sample, Sampling, chance};
use crate::semconv;

/// Decides of every span, once its parent and its name are known. Clones decide and count together.
#[derive(Clone, Debug)]
pub(crate) struct Sampler(Arc<Deciding>);

#[derive(Debug)]
struct Deciding {
    /// Whether there are no spans at all, and contexts go along as they came.
    is_disabled: bool,
    settings: SamplingSettings,
    standard: Standard,
    rules: Rules,
    rate: Option<FairRate>,
    callers: Option<(Allowance, Pace)>,
    /// `None` if nothing unsampled is recorded.
    keeper: Option<Arc<Keeper>>,
    start: Instant,
    /// What callers do not know.
    key: RandomState,
    by_parent: Tally,
    by_rate: Tally,
    by_standard: Tally,
    refused: AtomicU64,
}

/// The parent of a span that is decided of.
struct Parent<'a> {
    context: &'a SpanContext,
    is_recording: bool,
}

/// What may begin a trace: a span without a parent in this process.
struct Beginning<'a> {
    name: &'a str,
    /// The route of an HTTP request, or the method of an RPC that has another name.
    other_name: Option<&'a str>,
    chance: u64,
}

// === impl Sampler ===

impl Sampler {
    /// `variables` are those that have had a say.
    /// What decides nothing: those behind this service see its caller's decision, if it has one.
    pub(super) fn disabled(variables: Vec<&'static str>) -> Self {
        let never = Standard { parent_based: false, root: Sample::Never };
        Self(Arc::new(Deciding { is_disabled: true, ..Deciding::new(never, &Sampling::new(), variables) }))
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.0.is_disabled
    }

    pub(super) fn new(standard: Standard, sampling: &Sampling, variables: Vec<&'static str>) -> Self {
        Self(Arc::new(Deciding::new(standard, sampling, variables)))
    }

    /// `inner` with what is recorded though not sampled held back from it until it is known whether to keep it.
    pub(crate) fn keeping<P: SpanProcessor>(&self, inner: P) -> Keeping<P> {
        Keeping::new(inner, self.0.keeper.clone())
    }

    /// Decides of a span below `parent` before anything of it is made.
    ///
    /// `other_name` is what rules may call it by beside its name: the route of an HTTP request, the method of an RPC.
    pub(crate) fn decide(
        &self,
        parent: &SpanContext,
        is_recording: bool,
        name: &str,
        other_name: Option<&str>,
    ) -> Decided {
        let trace_id = if parent.is_valid() { parent.trace_id() } else { first::new_trace_id() };
        let parent = Parent { context: parent, is_recording };
        let beginning = Beginning { name, other_name, chance: chance::of(trace_id) };
        Decided::new(parent.context, trace_id, self.0.decide(&parent, trace_id, beginning))
    }

    pub(crate) fn report(&self) -> SamplingReport {
        let deciding = &*self.0;
        let standard = match deciding.standard.root {
            Sample::Always => "always_on",
            Sample::Never => "always_off",
            Sample::Ratio(_) => "ratio",
        };
        let rate = deciding.rate.as_ref().map(|_| deciding.by_rate.decided("rate"));
        let others = [deciding.by_parent.decided("parent"), deciding.by_standard.decided(standard)];
        SamplingReport {
            settings: deciding.settings.clone(),
            decisions: deciding.rules.decided().chain(rate).chain(others).collect(),
            refused: deciding.refused.load(Ordering::Relaxed),
            shares: deciding.rate.as_ref().map(FairRate::shares).unwrap_or_default(),
            recorded: deciding.keeper.as_ref().map(|keeper| keeper.recorded()),
        }
    }
}

impl ShouldSample for Sampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        _: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let outside = Context::new();
        let parent = parent.unwrap_or(&outside).span();
        let decision = first::handed().unwrap_or_else(|| {
            // The name of an RPC's span is its method.
            let other_name = attributes.iter().find(|it| is_name(&it.key)).map(|it| it.value.as_str());
            let other_name = other_name.as_deref().filter(|other| *other != name);
            let parent = Parent { context: parent.span_context(), is_recording: parent.is_recording() };
            self.0.decide(&parent, trace_id, Beginning { name, other_name, chance: chance::of(trace_id) })
        });
        SamplingResult { decision, attributes: Vec::new(), trace_state: parent.span_context().trace_state().clone() }
    }
}

/// Whether an attribute names what is called.
fn is_name(key: &Key) -> bool {
    [semconv::RPC_METHOD, semconv::HTTP_ROUTE].contains(&key.as_str())
}

// === impl Deciding ===

impl Deciding {
    fn new(standard: Standard, sampling: &Sampling, variables: Vec<&'static str>) -> Self {
        let Sampling { keep_errors, keep_slower_than, .. } = *sampling;
        let keeps = keep_errors || keep_slower_than.is_some();
        let keeper = keeps.then(|| Arc::new(Keeper::new(keep_errors, keep_slower_than, Room::default())));
        Self {
            is_disabled: false,
            settings: SamplingSettings::new(standard, sampling, variables),
            standard,
            rules: Rules::new(sampling.rules.clone()),
            rate: sampling.traces_per_second.map(FairRate::new),
            callers: sampling.forced_per_second.map(|rate| (Allowance::default(), Pace::per_second(rate))),
            keeper,
            start: Instant::now(),
            key: RandomState::new(),
            by_parent: Tally::default(),
            by_rate: Tally::default(),
            by_standard: Tally::default(),
            refused: AtomicU64::default(),
        }
    }

    fn decide(&self, parent: &Parent<'_>, trace_id: TraceId, beginning: Beginning<'_>) -> SamplingDecision {
        if self.is_disabled {
            return SamplingDecision::Drop;
        }
        let context = parent.context;
        if !context.is_valid() {
            self.begin(beginning)
        } else if !context.is_remote() {
            self.go_on(parent, beginning.chance)
        } else if !self.standard.parent_based {
            self.begin(beginning)
        } else if context.is_sampled() && !self.believes_another() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.begin(Beginning { chance: chance::kept_from(&self.key, trace_id), ..beginning })
        } else {
            self.by_parent.count(context.is_sampled());
            if context.is_sampled() { SamplingDecision::RecordAndSample } else { self.unsampled() }
        }
    }

    /// Decides of a trace that begins here, or whose caller has no say.
    fn begin(&self, beginning: Beginning<'_>) -> SamplingDecision {
        let Beginning { name, other_name, chance } = beginning;
        if let Some((sample, tally)) = self.rules.of(name, other_name) {
            let is_sampled = sample.takes(chance);
            tally.count(is_sampled);
            return match sample {
                Sample::Never => SamplingDecision::Drop,
                _ if is_sampled => SamplingDecision::RecordAndSample,
                _ => self.unsampled(),
            };
        }
        let mut is_sampled = self.standard.root.takes(chance);
        match &self.rate {
            Some(rate) if is_sampled => {
                is_sampled = rate.admits(self.now(), name, chance);
                self.by_rate.count(is_sampled);
            }
            _ => self.by_standard.count(is_sampled),
        }
        if is_sampled { SamplingDecision::RecordAndSample } else { self.unsampled() }
    }

    /// Decides of a span whose parent is in this process.
    fn go_on(&self, parent: &Parent<'_>, chance: u64) -> SamplingDecision {
        let is_plain = self.rules.is_empty() && self.rate.is_none() && self.keeper.is_none();
        let is_sampled = if is_plain && !self.standard.parent_based {
            // OpenTelemetry's samplers that know no parent decide of each span, and of all spans of a trace alike.
            self.standard.root.takes(chance)
        } else {
            parent.context.is_sampled()
        };
        match is_sampled {
            true => SamplingDecision::RecordAndSample,
            false if self.keeper.is_some() && parent.is_recording => SamplingDecision::RecordOnly,
            false => SamplingDecision::Drop,
        }
    }

    fn unsampled(&self) -> SamplingDecision {
        if self.keeper.is_some() { SamplingDecision::RecordOnly } else { SamplingDecision::Drop }
    }

    /// Whether one more caller may have his trace sampled because he says so.
    fn believes_another(&self) -> bool {
        self.callers.as_ref().is_none_or(|(allowance, pace)| allowance.take(self.now(), *pace))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
