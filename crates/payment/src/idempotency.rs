//! How a change is made once, however often it is asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use proto::Invalid;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::error::Failure;

/// A request to change something, under a key its caller may repeat.
pub(crate) struct Keyed<T> {
    pub(crate) ticket: Ticket,
    /// What is asked for. May be malformed here: whether the key is known by another body comes first.
    pub(crate) content: Result<T, Invalid>,
}

/// What makes a request the same as an earlier one: its key, which each method has for itself, and its body.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) method: Method,
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: Fingerprint,
}

/// The methods that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    Charge,
    Refund,
}

/// A caller's own name for a change.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct IdempotencyKey(String);

/// The SHA-256 of an encoded request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

/// The changes this process is working on.
#[derive(Clone, Default)]
pub(crate) struct Running {
    tickets: Arc<Mutex<HashMap<(Method, IdempotencyKey), Fingerprint>>>,
    tasks: TaskTracker,
}

/// Stands for one change being worked on; the key is free again when this is dropped.
pub(crate) struct Turn {
    running: Running,
    key: (Method, IdempotencyKey),
    _task: TaskTrackerToken,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be 1 to 255 characters, none of them a control character")]
pub(crate) struct NotAKey;

// === impl Method ===

impl Method {
    /// The method's name in the store; also that of the step it takes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
        }
    }
}

// === impl IdempotencyKey ===

impl IdempotencyKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let plain = (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if plain { Ok(Self(text.to_owned())) } else { Err(NotAKey) }
    }
}

// === impl Running ===

impl Running {
    /// Takes the key of `ticket`, never waits for it.
    ///
    /// # Errors
    /// [`Failure::KeyInUse`] while somebody else has it, [`Failure::KeyReused`] if that is for another body.
    pub(crate) fn enter(&self, ticket: &Ticket) -> Result<Turn, Failure> {
        let key = (ticket.method, ticket.key.clone());
        match self.tickets.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()) {
            Entry::Occupied(other) if *other.get() != ticket.fingerprint => return Err(Failure::KeyReused),
            Entry::Occupied(_) => return Err(Failure::KeyInUse),
            Entry::Vacant(free) => free.insert(ticket.fingerprint),
        };
        Ok(Turn { running: self.clone(), key, _task: self.tasks.token() })
    }

    /// Waits until nothing is being worked on. To be called when nothing new can come.
    pub(crate) async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

// === impl Turn ===

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.tickets.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
