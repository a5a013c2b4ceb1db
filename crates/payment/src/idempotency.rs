//! How a change is made once, however often it is asked for.

use std::str::FromStr;

use proto::Invalid;

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
