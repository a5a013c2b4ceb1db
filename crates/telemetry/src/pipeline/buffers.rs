//! Ended spans and log records as the bytes they will leave in: encoded where they end, kept apart by thread, so that
//! threads do not wait for each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use opentelemetry::InstrumentationScope;

use super::encode::{self, Scoped};
use crate::lock::lock;

/// How many buffers there are; a thread always uses the same.
const BUFFERS: usize = 8;

/// What one request may hold: collectors take 4 MiB by default.
const MOST_PER_REQUEST: usize = 2 << 20;

/// What all that is here may take.
const MOST_BYTES: usize = 64 << 20;

thread_local! {
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The items of one signal that wait, or are on their way.
#[derive(Debug)]
pub(super) struct Buffers {
    buffers: [Mutex<Vec<Chunk>>; BUFFERS],
    framing: Framing,
    /// How many may leave in one request.
    batch: usize,
    /// How many may wait.
    most: usize,
    /// Those that are not on their way yet.
    waiting: AtomicUsize,
    /// Of all that are here, those on their way as well.
    bytes: AtomicUsize,
    is_closed: AtomicBool,
}

/// What stands around the items of a request.
#[derive(Debug)]
pub(super) enum Framing {
    /// The messages of OTLP, for a resource as [`encode::resource`] wrote it.
    Otlp { resource: Vec<u8> },
    /// Nothing: they are text.
    Text,
}

/// What has become of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Waits,
    /// It waits, and with it there are enough for a request.
    FillsRequest,
    /// There was no room for it.
    Full,
    /// It came too late.
    Closed,
}

/// Encoded items of one scope.
#[derive(Debug)]
struct Chunk {
    scope: InstrumentationScope,
    bytes: Vec<u8>,
    items: usize,
}

/// What leaves at once.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) body: Bytes,
    pub(super) items: usize,
    /// What its items took while they waited.
    room: usize,
}

/// The room that a request takes until it has arrived, or is given up.
#[derive(Debug)]
pub(super) struct Room {
    buffers: Arc<Buffers>,
    bytes: usize,
}

// === impl Buffers ===

impl Buffers {
    /// Room for `most` items, of which at most `batch` leave in one request.
    pub(super) fn new(framing: Framing, most: usize, batch: usize) -> Self {
        Self {
            buffers: Default::default(),
            framing,
            batch,
            most,
            waiting: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether enough for a request wait.
    pub(super) fn fill_request(&self) -> bool {
        self.waiting() >= self.batch
    }

    /// How many may wait.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Takes an item that `encode` appends. Never waits for the collector.
    pub(super) fn add(&self, scope: &InstrumentationScope, encode: impl FnOnce(&mut Vec<u8>)) -> Added {
        if self.bytes.load(Ordering::Relaxed) >= MOST_BYTES {
            return Added::Full;
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        if before >= self.most {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Added::Full;
        }
        let mut chunks = lock(&self.buffers[mine()]);
        // While the buffer is locked: what was let in before the end is taken by whoever takes the rest.
        if self.is_closed.load(Ordering::Relaxed) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Added::Closed;
        }
        let is_full = self.append(&mut chunks, scope, encode);
        drop(chunks);
        let fills_request = is_full || (before + 1).is_multiple_of(self.batch);
        if fills_request { Added::FillsRequest } else { Added::Waits }
    }

    /// Appends an item to the last chunk of its scope, unless that is full; says whether it is full then.
    fn append(&self, chunks: &mut Vec<Chunk>, scope: &InstrumentationScope, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        let has_room = |chunk: &Chunk| chunk.items < self.batch && chunk.bytes.len() < MOST_PER_REQUEST;
        let at = chunks.iter().rposition(|chunk| has_room(chunk) && chunk.scope == *scope).unwrap_or_else(|| {
            chunks.push(Chunk { scope: scope.clone(), bytes: Vec::new(), items: 0 });
            chunks.len() - 1
        });
        let chunk = &mut chunks[at];
        let before = chunk.bytes.len();
        encode(&mut chunk.bytes);
        let after = chunk.bytes.len();
        if before > 0 && after > MOST_PER_REQUEST {
            // Alone, it cannot make a collector refuse the others.
            let alone = Chunk { scope: chunk.scope.clone(), bytes: chunk.bytes.split_off(before), items: 1 };
            chunks.push(alone);
        } else {
            chunk.items += 1;
        }
        self.bytes.fetch_add(after - before, Ordering::Relaxed);
        after >= MOST_PER_REQUEST
    }

    /// Takes nothing more from now on.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Everything that waits, as requests of at most a batch each. It counts as waiting until [`leave`](Self::leave).
    pub(super) fn take(&self) -> Vec<Request> {
        let (mut requests, mut together) = (Vec::new(), Vec::<Chunk>::new());
        for chunk in self.buffers.iter().flat_map(|chunks| std::mem::take(&mut *lock(chunks))) {
            let (items, bytes) = size(&together);
            if !together.is_empty()
                && (items + chunk.items > self.batch || bytes + chunk.bytes.len() > MOST_PER_REQUEST)
            {
                requests.push(self.framing.request(std::mem::take(&mut together)));
            }
            together.push(chunk);
        }
        if !together.is_empty() {
            requests.push(self.framing.request(together));
        }
        requests
    }

    /// The request is on its way: its items no longer count as waiting, and take room until the returned is dropped.
    pub(super) fn leave(self: &Arc<Self>, request: &Request) -> Room {
        self.waiting.fetch_sub(request.items, Ordering::Relaxed);
        Room { buffers: Arc::clone(self), bytes: request.room }
    }
}

// === impl Framing ===

impl Framing {
    fn request(&self, chunks: Vec<Chunk>) -> Request {
        let (items, room) = size(&chunks);
        let body = match self {
            Self::Otlp { resource } => otlp(resource, &chunks),
            Self::Text => chunks.into_iter().flat_map(|chunk| chunk.bytes).collect(),
        };
        Request { body: body.into(), items, room }
    }
}

fn otlp(resource: &[u8], chunks: &[Chunk]) -> Vec<u8> {
    let head = |chunk: &Chunk| {
        let mut head = Vec::new();
        encode::scope(&chunk.scope, &mut head);
        head
    };
    let heads: Vec<_> = chunks.iter().map(head).collect();
    let scopes: Vec<_> =
        heads.iter().zip(chunks).map(|(head, chunk)| Scoped { scope: head, items: &chunk.bytes }).collect();
    let mut body = Vec::new();
    encode::request(resource, &scopes, &mut body);
    body
}

/// How many items, and of how many bytes.
fn size(chunks: &[Chunk]) -> (usize, usize) {
    chunks.iter().fold((0, 0), |(items, bytes), chunk| (items + chunk.items, bytes + chunk.bytes.len()))
}

// === impl Room ===

impl Drop for Room {
    fn drop(&mut self) {
        self.buffers.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
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
