//! What a caller sent and the SDK's span contexts do not keep: the random flag and the text of `tracestate`.

use http::HeaderValue;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{Context, TraceFlags, TraceId};

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

/// `parent` with the caller's span as its remote span, and the `tracestate` that came with it.
pub(super) fn continued(parent: &Context, caller: &TraceParent, tracestate: Option<String>) -> Context {
    let tracestate = tracestate.map(|text| {
        let (header, shown) = (tracestate::header(&text), tracestate::shown(&text));
        List { text, header, shown }
    });
    let shown = tracestate.as_ref().map(|list| list.shown.clone()).unwrap_or_default();
    let span = SpanContext::new(caller.trace_id, caller.span_id, caller.flags, true, shown);
    let cx = parent.with_remote_span_context(span);
    let random = caller.flags & RANDOM == RANDOM;
    if random && tracestate.is_none() && parent.get::<Received>().is_none() {
        return cx;
    }
    cx.with_value(Received { trace_id: caller.trace_id, random, tracestate })
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
    match received(cx, span).and_then(|received| received.tracestate.as_ref()) {
        Some(list) if list.shown == *now => Some(list.header.clone()),
        Some(list) => tracestate::merged(&list.text, &list.shown, now).as_deref().map(tracestate::header),
        None => tracestate::merged("", &TraceState::NONE, now).as_deref().map(tracestate::header),
    }
}

fn received<'a>(cx: &'a Context, span: &SpanContext) -> Option<&'a Received> {
    cx.get::<Received>().filter(|received| received.trace_id == span.trace_id())
}
