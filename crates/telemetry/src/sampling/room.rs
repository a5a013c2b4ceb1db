use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::trace::{Event, Link};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// What all recorded spans of unsampled calls may take.
#[derive(Debug)]
pub(super) struct Room {
    most_calls: usize,
    most_spans: usize,
    most_bytes: usize,
    calls: AtomicUsize,
    bytes: AtomicUsize,
}

/// The ended spans of one unsampled call, until it has ended itself and all open spans are closed.
///
/// A call that does not fit loses all its spans but the first: never some in the middle, which others hang on.
#[derive(Debug)]
pub(super) struct Buffer {
    room: Arc<Room>,
    state: State,
    spans: Vec<SpanData>,
    bytes: usize,
    /// Spans that were admitted, open and ended.
    admitted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The call still runs.
    Open,
    /// It was too large.
    Cut,
    /// It has ended; what ends after it goes the same way.
    Closed { is_kept: bool },
}

// === impl Room ===

impl Default for Room {
    fn default() -> Self {
        Self::new(4096, 256, 32 << 20)
    }
}

impl Room {
    /// Room for so many calls at a time, spans of one call, and bytes of them all.
    pub(super) fn new(most_calls: usize, most_spans: usize, most_bytes: usize) -> Self {
        Self { most_calls, most_spans, most_bytes, calls: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    /// Calls and bytes.
    #[cfg(test)]
    pub(super) fn used(&self) -> (usize, usize) {
        (self.calls.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// Adds to what is in use, if it stays within `most`.
fn reserve(used: &AtomicUsize, amount: usize, most: usize) -> bool {
    let within = |used: usize| used.checked_add(amount).filter(|used| *used <= most);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
}

// === impl Buffer ===

impl Buffer {
    /// A buffer for a call that has started, if there is room for one more.
    pub(super) fn new(room: &Arc<Room>) -> Option<Self> {
        let room = Arc::clone(room);
        let buffer = |room| Self { room, state: State::Open, spans: Vec::new(), bytes: 0, admitted: 0 };
        reserve(&room.calls, 1, room.most_calls).then(|| buffer(room))
    }

    /// Whether a span that starts below the call belongs to it; if it is one too many, the spans that are given up.
    pub(super) fn admit(&mut self) -> Result<bool, Vec<SpanData>> {
        if !matches!(self.state, State::Open | State::Closed { is_kept: true }) {
            return Ok(false);
        }
        if self.admitted == self.room.most_spans {
            return if self.state == State::Open { Err(self.cut()) } else { Ok(false) };
        }
        self.admitted += 1;
        Ok(true)
    }

    /// Takes an ended span. What it gives instead is done with: kept, or not.
    pub(super) fn take(&mut self, span: SpanData) -> (Vec<SpanData>, bool) {
        match self.state {
            State::Open => {}
            State::Cut => return (vec![span], false),
            State::Closed { is_kept } => return (vec![span], is_kept),
        }
        let bytes = weight(&span);
        self.spans.push(span);
        if reserve(&self.room.bytes, bytes, self.room.most_bytes) {
            self.bytes += bytes;
            return (Vec::new(), false);
        }
        (self.cut(), false)
    }

    /// Ends the call: the spans below it, unless they were cut.
    pub(super) fn close(&mut self, is_kept: bool) -> Option<Vec<SpanData>> {
        if self.state == State::Cut {
            return None;
        }
        self.state = State::Closed { is_kept };
        Some(self.empty())
    }

    fn cut(&mut self) -> Vec<SpanData> {
        self.state = State::Cut;
        self.empty()
    }

    fn empty(&mut self) -> Vec<SpanData> {
        self.room.bytes.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
        std::mem::take(&mut self.spans)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.empty();
        self.room.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// About how many bytes a span takes.
fn weight(span: &SpanData) -> usize {
    let event = |event: &Event| size_of::<Event>() + event.name.len() + all(&event.attributes);
    let events: usize = span.events.iter().map(event).sum();
    let links: usize = span.links.iter().map(|link| size_of::<Link>() + all(&link.attributes)).sum();
    size_of::<SpanData>() + span.name.len() + all(&span.attributes) + events + links
}

fn all(attributes: &[KeyValue]) -> usize {
    let attribute = |it: &KeyValue| size_of::<KeyValue>() + it.key.as_str().len() + content(&it.value);
    attributes.iter().map(attribute).sum()
}

fn content(value: &Value) -> usize {
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::Bool(items)) => items.len(),
        Value::Array(Array::I64(items)) => 8 * items.len(),
        Value::Array(Array::F64(items)) => 8 * items.len(),
        Value::Array(Array::String(items)) => items.iter().map(|text| 24 + text.as_str().len()).sum(),
        _ => 0,
    }
}
