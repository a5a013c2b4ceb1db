//! How an order is placed once, however often it is asked for.

/// What makes a request the same as an earlier one: its key and its body.
#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: Fingerprint,
}

/// The caller's own name for an order: 1 to 255 characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct IdempotencyKey(String);

/// The SHA-256 of an encoded request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

/// A text that is no key.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to 255 characters, none of them a control character")]
pub(crate) struct NotAKey;

// === impl IdempotencyKey ===

impl IdempotencyKey {
    pub(crate) fn parse(text: String) -> Result<Self, NotAKey> {
        let plain = (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if plain { Ok(Self(text)) } else { Err(NotAKey) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_characters_not_bytes() {
        assert!(IdempotencyKey::parse(String::new()).is_err());
        assert!(IdempotencyKey::parse("é".repeat(255)).is_ok());
        assert!(IdempotencyKey::parse("é".repeat(256)).is_err());
    }
}
