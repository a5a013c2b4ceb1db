use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use opentelemetry::SpanId;
use opentelemetry::trace::{SpanContext, Status};
use opentelemetry_sdk::trace::SpanData;

use super::report::Recorded;
use super::room::{Buffer, Room};
use super::striped::Counter;
use crate::lock::lock;

/// How many locks the open spans are spread over.
const SHARDS: usize = 16;

/// Remembers the spans of unsampled calls for as long as those run, and keeps them if the call fails or takes long.
///
/// A call, here, is a span without a parent in this process, and what is below it.
#[derive(Debug)]
pub(super) struct Keeper {
    errors: bool,
    slower_than: Option<Duration>,
    room: Arc<Room>,
    /// The buffer of each open span's call. By ids of our own making, which no caller can choose.
    open: [Mutex<HashMap<SpanId, Shared>>; SHARDS],
    kept_failed: Counter,
    kept_slow: Counter,
    dropped: Counter,
    cut: Counter,
}

type Shared = Arc<Mutex<Buffer>>;

// === impl Keeper ===

impl Keeper {
    /// Keeps calls that fail, if `errors`, and those that take longer than `slower_than`.
    pub(super) fn new(errors: bool, slower_than: Option<Duration>, room: Room) -> Self {
        Self {
            errors,
            slower_than,
            room: Arc::new(room),
            open: std::array::from_fn(|_| Mutex::default()),
            kept_failed: Counter::default(),
            kept_slow: Counter::default(),
            dropped: Counter::default(),
            cut: Counter::default(),
        }
    }

    pub(super) fn recorded(&self) -> Recorded {
        Recorded {
            kept_failed: self.kept_failed.sum(),
            kept_slow: self.kept_slow.sum(),
            dropped: self.dropped.sum(),
            cut: self.cut.sum(),
        }
    }

    /// Takes note of a span that has started; `parent` is its parent if that is in this process. Spans that had to make
    /// room go to `on`.
    pub(super) fn started(&self, span: SpanId, parent: Option<SpanId>, on: impl Fn(SpanData)) {
        let Some(parent) = parent else {
            if let Some(buffer) = Buffer::new(&self.room) {
                self.shard(span).insert(span, Arc::new(Mutex::new(buffer)));
            }
            return;
        };
        let Some(buffer) = self.shard(parent).get(&parent).cloned() else { return };
        let admitted = lock(&buffer).admit();
        match admitted {
            Ok(true) => drop(self.shard(span).insert(span, buffer)),
            Ok(false) => {}
            Err(cut) => cut.into_iter().for_each(on),
        }
    }

    /// Takes a span that has ended. Every span goes to `on` in the end: sampled if its call is kept.
    pub(super) fn ended(&self, span: SpanData, on: impl Fn(SpanData)) {
        let buffer = self.shard(span.span_context.span_id()).remove(&span.span_context.span_id());
        let begins_here = span.parent_span_id == SpanId::INVALID || span.parent_span_is_remote;
        if begins_here {
            self.call_ended(span, buffer, on);
        } else if let Some(buffer) = buffer {
            let (spans, is_kept) = lock(&buffer).take(span);
            spans.into_iter().for_each(|span| on(if is_kept { sampled(span) } else { span }));
        } else {
            on(span);
        }
    }

    fn call_ended(&self, root: SpanData, buffer: Option<Shared>, on: impl Fn(SpanData)) {
        let reason = self.reason(&root);
        reason.unwrap_or(&self.dropped).increment();
        let is_kept = reason.is_some();
        let whole = buffer.and_then(|buffer| lock(&buffer).close(is_kept));
        if is_kept && whole.is_none() {
            self.cut.increment();
        }
        let spans = whole.into_iter().flatten().chain([root]);
        spans.for_each(|span| on(if is_kept { sampled(span) } else { span }));
    }

    /// The counter of what the call is kept for, if it is.
    fn reason(&self, root: &SpanData) -> Option<&Counter> {
        let took = root.end_time.duration_since(root.start_time).unwrap_or_default();
        let is_slow = self.slower_than.is_some_and(|limit| took > limit);
        match root.status {
            Status::Error { .. } if self.errors => Some(&self.kept_failed),
            _ => is_slow.then_some(&self.kept_slow),
        }
    }

    fn shard(&self, span: SpanId) -> MutexGuard<'_, HashMap<SpanId, Shared>> {
        let [.., last] = span.to_bytes();
        lock(&self.open[usize::from(last) % SHARDS])
    }
}

/// The span as one that was sampled.
fn sampled(mut span: SpanData) -> SpanData {
    let context = &span.span_context;
    let flags = context.trace_flags().with_sampled(true);
    let (trace_id, span_id) = (context.trace_id(), context.span_id());
    span.span_context = SpanContext::new(trace_id, span_id, flags, context.is_remote(), context.trace_state().clone());
    span
}

#[cfg(test)]
mod tests;
