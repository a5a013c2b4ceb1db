//! How an order is placed once, however often it is asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use tokio::sync::watch;

use crate::error::Failure;

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

/// The orders this process is working on, by their keys.
#[derive(Clone, Default)]
pub(crate) struct Running {
    fingerprints: watch::Sender<HashMap<IdempotencyKey, Fingerprint>>,
}

/// Stands for one order being worked on; its key is free again when this is dropped.
pub(crate) struct Turn {
    running: Running,
    key: IdempotencyKey,
}

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

// === impl Running ===

impl Running {
    /// Takes the key of `ticket`, never waits for it.
    ///
    /// # Errors
    /// [`Failure::KeyInUse`] while somebody else has it, [`Failure::KeyReused`] if that is for another body.
    pub(crate) fn enter(&self, ticket: &Ticket) -> Result<Turn, Failure> {
        let mut entered = Ok(());
        self.fingerprints.send_if_modified(|fingerprints| {
            entered = match fingerprints.entry(ticket.key.clone()) {
                Entry::Occupied(other) if *other.get() != ticket.fingerprint => Err(Failure::KeyReused),
                Entry::Occupied(_) => Err(Failure::key_in_use()),
                Entry::Vacant(free) => {
                    free.insert(ticket.fingerprint);
                    Ok(())
                }
            };
            entered.is_ok()
        });
        entered.map(|()| Turn { running: self.clone(), key: ticket.key.clone() })
    }

    /// Waits until nothing is being worked on.
    pub(crate) async fn idle(&self) {
        // An error would mean that no sender is left, and `self` holds one.
        let _ = self.fingerprints.subscribe().wait_for(HashMap::is_empty).await;
    }
}

// === impl Turn ===

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.fingerprints.send_if_modified(|fingerprints| fingerprints.remove(&self.key).is_some());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;

    fn ticket(key: &str, body: u8) -> Ticket {
        Ticket { key: IdempotencyKey::parse(key.to_owned()).unwrap(), fingerprint: Fingerprint([body; 32]) }
    }

    #[test]
    fn a_key_is_1_to_255_characters_not_bytes() {
        assert!(IdempotencyKey::parse(String::new()).is_err());
        assert!(IdempotencyKey::parse("é".repeat(255)).is_ok());
        assert!(IdempotencyKey::parse("é".repeat(256)).is_err());
    }

    #[test]
    fn a_key_is_worked_on_by_one_at_a_time() {
        let running = Running::default();
        let turn = running.enter(&ticket("a", 1)).ok();
        assert!(turn.is_some());
        assert!(matches!(running.enter(&ticket("a", 1)), Err(Failure::KeyInUse { .. })));
        assert!(matches!(running.enter(&ticket("a", 2)), Err(Failure::KeyReused)));
        assert!(running.enter(&ticket("b", 1)).is_ok());
        drop(turn);
        assert!(running.enter(&ticket("a", 2)).is_ok());
    }

    #[test]
    fn a_panic_gives_the_key_back() {
        let running = Running::default();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _turn = running.enter(&ticket("a", 1));
            panic!("in the middle of the work");
        }));
        assert!(panicked.is_err());
        assert!(running.enter(&ticket("a", 1)).is_ok());
    }

    #[tokio::test]
    async fn idle_waits_for_the_last_turn() {
        let running = Running::default();
        let turn = running.enter(&ticket("a", 1)).ok();
        let idle = running.idle();
        tokio::pin!(idle);
        assert!(tokio::time::timeout(Duration::ZERO, &mut idle).await.is_err());
        drop(turn);
        idle.await;
    }
}
