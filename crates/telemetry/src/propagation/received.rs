//! What a caller sent and the SDK's span contexts do not keep: the random flag and the text of `tracestate`.

use http::HeaderValue;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{Context, TraceFlags, TraceId};

use super::baggage::joined;
use super::traceparent::{RANDOM, TraceParent};
use super::tracestate;

/// Kept in the context beside the remote span, and of meaning as long as its trace goes on.
///
/// Absent where the default holds: a trace with a random id, ours or the caller's, and no `tracestate`.
#[derive(Debug)]
struct Received {
    trace_id: TraceId,
    random: bool,
    tracestate: Option<List>,
}

#[derive(Debug)]
struct List {
    text: String,
    header: HeaderValue,
    /// What the SDK was shown of it; a span whose entries differ was changed by a sampler.
    shown: TraceState,
}

/// What a request says of the context that it was sent in.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    span: Option<TraceParent>,
    tracestate: Option<List>,
    baggage: Option<Baggage>,
}

// === impl Caller ===

impl Caller {
    pub(super) fn new(span: Option<TraceParent>, tracestate: Option<String>, baggage: Option<Baggage>) -> Self {
        let tracestate = tracestate.map(|text| {
            let (header, shown) = (tracestate::header(&text), tracestate::shown(&text));
            List { text, header, shown }
        });
        Self { span, tracestate, baggage }
    }

    /// The caller's span, as the remote parent of what is done for it; invalid if the request names none.
    pub(crate) fn span(&self) -> SpanContext {
        let Some(caller) = &self.span else { return SpanContext::NONE };
        let shown = self.tracestate.as_ref().map(|list| list.shown.clone()).unwrap_or_default();
        SpanContext::new(caller.trace_id, caller.span_id, caller.flags, true, shown)
    }

    /// The same caller with those members of its baggage only whose keys `is_allowed`, and without its trace unless
    /// `is_continued`.
    pub(crate) fn admitted(self, is_continued: bool, is_allowed: impl Fn(&str) -> bool) -> Self {
        let admitted = |baggage: Baggage| joined(&Baggage::new(), &baggage, is_allowed);
        let baggage = self.baggage.map(admitted).filter(|baggage| !baggage.is_empty());
        if is_continued { Self { baggage, ..self } } else { Self { baggage, ..Self::default() } }
    }

    /// `parent` with the caller's span as the remote span, and what came along with it.
    pub(crate) fn context(self, parent: &Context) -> Context {
        let span = self.span();
        self.context_of(span, parent)
    }

    /// `parent` with `span`, which stands for the caller's or is below it, and what came along with that.
    pub(crate) fn context_of(self, span: SpanContext, parent: &Context) -> Context {
        let mut cx = if span.is_valid() { parent.with_remote_span_context(span) } else { parent.clone() };
        if let Some(caller) = self.span {
            let random = caller.flags & RANDOM == RANDOM;
            if !random || self.tracestate.is_some() || parent.get::<Received>().is_some() {
                cx = cx.with_value(Received { trace_id: caller.trace_id, random, tracestate: self.tracestate });
            }
        }
        match self.baggage {
            Some(baggage) => cx.with_baggage(baggage),
            None => cx,
        }
    }
}

/// The flags to send: the span's sampling decision, and the random flag as the trace began with it.
///
/// The SDK's span contexts lose the random flag, so that of a trace which is not the caller's is set: our ids are random
/// (W3C Trace Context level 2, "Random Trace ID Flag").
pub(super) fn flags(cx: &Context, span: &SpanContext) -> TraceFlags {
    let random = match received(cx, span) {
        Some(received) => received.random,
        None => !span.is_remote() || span.trace_flags() & RANDOM == RANDOM,
    };
    let sampled = span.trace_flags() & TraceFlags::SAMPLED;
    if random { sampled | RANDOM } else { sampled }
}

/// The `tracestate` to send: the caller's as it came, unless a sampler changed it.
pub(super) fn tracestate(cx: &Context) -> Option<HeaderValue> {
    let span = cx.span();
    let span = span.span_context();
    let now = span.trace_state();
    if *now == TraceState::NONE && cx.get::<Received>().is_none() {
        return None;
    }
    match received(cx, span).and_then(|received| received.tracestate.as_ref()) {
        Some(list) if list.shown == *now => Some(list.header.clone()),
        Some(list) => tracestate::merged(&list.text, &list.shown, now).as_deref().map(tracestate::header),
        None => tracestate::merged("", &TraceState::NONE, now).as_deref().map(tracestate::header),
    }
}

fn received<'a>(cx: &'a Context, span: &SpanContext) -> Option<&'a Received> {
    cx.get::<Received>().filter(|received| received.trace_id == span.trace_id())
}
