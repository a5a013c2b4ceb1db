//! The keys whose calls are running in this process.
//!
//! Kept in memory on purpose: a mark in the database would outlive a crash and refuse the key for ever, this one ends
//! with the process, exactly as the calls it stands for.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The set of running keys. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Running {
    keys: Arc<Mutex<HashSet<String>>>,
}

/// The right to run a key's call; given back when dropped.
pub(crate) struct Turn {
    running: Running,
    key: String,
}

impl Running {
    /// Takes the turn of `key`, unless another call has it.
    pub(crate) fn enter(&self, key: &str) -> Option<Turn> {
        let entered = self.with(|keys| keys.insert(key.to_owned()));
        entered.then(|| Turn { running: self.clone(), key: key.to_owned() })
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        // A set of strings is whole after any panic.
        act(&mut self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.with(|keys| keys.remove(&self.key));
    }
}
