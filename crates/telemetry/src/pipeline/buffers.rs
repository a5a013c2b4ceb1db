//! Ended spans as the bytes they will leave in: encoded where they end, kept apart by thread, so that threads do not
//! wait for each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::trace::SpanData;

use super::encode::{self, ScopeSpans};

/// How many buffers there are; a thread always uses the same.
const BUFFERS: usize = 8;

/// What one request may hold: collectors take 4 MiB by default.
const MOST_PER_REQUEST: usize = 2 << 20;

/// What all waiting spans may take.
const MOST_BYTES: usize = 64 << 20;

thread_local! {
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The spans that wait, or are on their way.
#[derive(Debug)]
pub(super) struct Buffers {
    buffers: [Mutex<Vec<Chunk>>; BUFFERS],
    /// How many may leave in one request.
    batch: usize,
    most_spans: usize,
    /// All that are here, those on their way as well.
    spans: AtomicUsize,
    bytes: AtomicUsize,
    /// Those that no request has taken yet.
    waiting: AtomicUsize,
}

/// What has become of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Waits,
    /// It waits, and with it there are enough for a request.
    FillsRequest,
    /// There was no room for it.
    Dropped,
}

/// Encoded spans of one scope.
#[derive(Debug)]
struct Chunk {
    scope: InstrumentationScope,
    bytes: Vec<u8>,
    spans: usize,
}

/// What leaves at once.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) body: Vec<u8>,
    pub(super) spans: usize,
    /// What its spans took while they waited.
    bytes: usize,
}

// === impl Buffers ===

impl Buffers {
    /// Room for `most_spans`, of which at most `batch` leave in one request.
    pub(super) fn new(most_spans: usize, batch: usize) -> Self {
        Self {
            buffers: Default::default(),
            batch,
            most_spans,
            spans: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Takes a span that has ended. Never waits for the collector.
    pub(super) fn add(&self, span: &SpanData) -> Added {
        let has_room = self.bytes.load(Ordering::Relaxed) < MOST_BYTES;
        if !has_room || self.spans.fetch_add(1, Ordering::Relaxed) >= self.most_spans {
            if has_room {
                self.spans.fetch_sub(1, Ordering::Relaxed);
            }
            return Added::Dropped;
        }
        let mut chunks = self.buffers[mine()].lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.place(&mut chunks, &span.instrumentation_scope);
        let chunk = &mut chunks[at];
        let before = chunk.bytes.len();
        encode::span(span, &mut chunk.bytes);
        let after = chunk.bytes.len();
        if before > 0 && after > MOST_PER_REQUEST {
            // Alone, it cannot make a collector refuse the others.
            let alone = Chunk { scope: chunk.scope.clone(), bytes: chunk.bytes.split_off(before), spans: 1 };
            chunks.push(alone);
        } else {
            chunk.spans += 1;
        }
        self.bytes.fetch_add(after - before, Ordering::Relaxed);
        // While the buffer is locked: nothing is taken that is not counted yet.
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        drop(chunks);
        let fills_request = waiting.is_multiple_of(self.batch) || after >= MOST_PER_REQUEST;
        if fills_request { Added::FillsRequest } else { Added::Waits }
    }

    /// The place of the chunk that a span of this scope goes to: the last one of the scope, unless it is full.
    fn place(&self, chunks: &mut Vec<Chunk>, scope: &InstrumentationScope) -> usize {
        let has_room = |chunk: &Chunk| chunk.spans < self.batch && chunk.bytes.len() < MOST_PER_REQUEST;
        chunks.iter().rposition(|chunk| has_room(chunk) && chunk.scope == *scope).unwrap_or_else(|| {
            chunks.push(Chunk { scope: scope.clone(), bytes: Vec::new(), spans: 0 });
            chunks.len() - 1
        })
    }

    /// Everything that waits, as requests of at most a batch each, for `resource`.
    pub(super) fn take(&self, resource: &[u8]) -> Vec<Request> {
        let lock =
            |chunks: &Mutex<Vec<Chunk>>| std::mem::take(&mut *chunks.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut requests, mut together) = (Vec::new(), Vec::<Chunk>::new());
        for chunk in self.buffers.iter().flat_map(lock) {
            let (spans, bytes) = size(&together);
            if !together.is_empty()
                && (spans + chunk.spans > self.batch || bytes + chunk.bytes.len() > MOST_PER_REQUEST)
            {
                requests.push(Request::of(resource, std::mem::take(&mut together)));
            }
            together.push(chunk);
        }
        if !together.is_empty() {
            requests.push(Request::of(resource, together));
        }
        let taken = requests.iter().map(|request| request.spans).sum();
        self.waiting.fetch_sub(taken, Ordering::Relaxed);
        requests
    }

    /// Makes room again: what was on its way has arrived, or is given up.
    pub(super) fn done(&self, request: &Request) {
        self.spans.fetch_sub(request.spans, Ordering::Relaxed);
        self.bytes.fetch_sub(request.bytes, Ordering::Relaxed);
    }
}

// === impl Request ===

impl Request {
    fn of(resource: &[u8], chunks: Vec<Chunk>) -> Self {
        let (spans, bytes) = size(&chunks);
        let head = |chunk: &Chunk| {
            let mut head = Vec::new();
            encode::scope(&chunk.scope, &mut head);
            head
        };
        let heads: Vec<_> = chunks.iter().map(head).collect();
        let mut body = Vec::new();
        let scopes: Vec<_> =
            heads.iter().zip(&chunks).map(|(head, chunk)| ScopeSpans { scope: head, spans: &chunk.bytes }).collect();
        encode::request(resource, &scopes, &mut body);
        Self { body, spans, bytes }
    }
}

fn size(chunks: &[Chunk]) -> (usize, usize) {
    chunks.iter().fold((0, 0), |(spans, bytes), chunk| (spans + chunk.spans, bytes + chunk.bytes.len()))
}

/// The number of this thread's buffer.
fn mine() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    MINE.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % BUFFERS;
        MINE.set(Some(number));
        number
    })
}

#[cfg(test)]
mod tests;
