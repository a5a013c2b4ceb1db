//! Deciding first: of a span that is not recorded nothing is made but its ids, and the SDK is handed what was decided of
//! one that is.

use std::cell::Cell;

use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingDecision};

thread_local! {
    /// What was decided of the span that the SDK is building on this thread right now.
    static HANDED: Cell<Option<Handed>> = const { Cell::new(None) };
}

#[derive(Clone, Copy, Debug)]
struct Handed {
    trace_id: TraceId,
    span_id: SpanId,
    is_sampled: bool,
}

/// What was decided of a span that is about to begin.
#[derive(Debug)]
pub(crate) struct Decided {
    context: SpanContext,
    is_recorded: bool,
}

/// Takes back what was handed, also if building panics.
struct TakenBack;

/// The ids of spans: those that were decided of, or random ones.
#[derive(Debug, Default)]
pub(crate) struct Ids(RandomIdGenerator);

// === impl Decided ===

impl Decided {
    pub(super) fn new(parent: &SpanContext, trace_id: TraceId, decision: SamplingDecision) -> Self {
        let flags = parent.trace_flags().with_sampled(decision == SamplingDecision::RecordAndSample);
        let (span_id, state) = (RandomIdGenerator::default().new_span_id(), parent.trace_state().clone());
        let context = SpanContext::new(trace_id, span_id, flags, false, state);
        Self { context, is_recorded: decision != SamplingDecision::Drop }
    }

    /// Whether the span is to be made at all.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// What stands for the span where it is not made: its children are not made either.
    pub(crate) fn into_context(self) -> SpanContext {
        self.context
    }

    /// Lets the SDK build the span that was decided of.
    pub(crate) fn build<T>(&self, build: impl FnOnce() -> T) -> T {
        let (trace_id, span_id) = (self.context.trace_id(), self.context.span_id());
        HANDED.set(Some(Handed { trace_id, span_id, is_sampled: self.context.is_sampled() }));
        let _taken_back = TakenBack;
        build()
    }
}

impl Drop for TakenBack {
    fn drop(&mut self) {
        HANDED.set(None);
    }
}

/// What was decided of the span that is being built, if it was.
pub(super) fn handed() -> Option<SamplingDecision> {
    HANDED.get().map(|handed| match handed.is_sampled {
        true => SamplingDecision::RecordAndSample,
        false => SamplingDecision::RecordOnly,
    })
}

pub(super) fn new_trace_id() -> TraceId {
    RandomIdGenerator::default().new_trace_id()
}

// === impl Ids ===

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        HANDED.get().map_or_else(|| self.0.new_trace_id(), |handed| handed.trace_id)
    }

    fn new_span_id(&self) -> SpanId {
        HANDED.get().map_or_else(|| self.0.new_span_id(), |handed| handed.span_id)
    }
}
