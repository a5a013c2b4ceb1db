//! One process's directory, and those of its siblings.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::directory::Listing;
use super::private;

/// What is locked in a slot.
const LOCK: &str = "lock";

/// The directories in a slot.
pub(super) const SIGNALS: [&str; 3] = ["traces", "logs", "metrics"];

/// What a file name takes as it is, anywhere.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The longest part of a service's name in a file name; those may have 255 bytes.
const LONGEST_NAME: usize = 200;

/// The slots of one service: `<directory>/<service>-<number>`.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    directory: PathBuf,
    /// What their names begin with.
    prefix: String,
}

/// A directory that belongs to whoever holds this, until it is dropped.
///
/// The lock is that of an open file, which ends with the process however it ends. The file itself is never removed:
/// another process could hold the one and a third create the other.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    number: u64,
    path: PathBuf,
    lock: File,
}

// === impl Slots ===

impl Slots {
    /// The slots in `directory`, which is created if need be.
    pub(super) fn of(directory: &Path, service_name: &str) -> io::Result<Self> {
        private::create_directory(directory)?;
        let mut name = utf8_percent_encode(service_name, UNSAFE).to_string();
        // All ASCII now. Services with such a name in common send each other's requests, which say whose they are.
        name.truncate(LONGEST_NAME);
        Ok(Self { directory: directory.to_owned(), prefix: format!("{name}-") })
    }

    /// A slot for a new process: the first free one in which something is left, or else the first free one.
    pub(super) fn claim(&self) -> io::Result<Slot> {
        let mut numbers = self.numbers()?;
        numbers.sort_by_key(|number| (!has_left_over(&self.path(*number)), *number));
        for number in numbers {
            // One that cannot be used, perhaps another user's, is not in the way of the others.
            if let Ok(Some(slot)) = self.lock(number) {
                return Ok(slot);
            }
        }
        self.create()
    }

    fn create(&self) -> io::Result<Slot> {
        let mut number = 0;
        loop {
            match private::create_new_directory(&self.path(number)) {
                // Another process may have found it before it was locked.
                Ok(()) => {
                    if let Some(slot) = self.lock(number)? {
                        return Ok(slot);
                    }
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            number += 1;
        }
    }

    /// Takes a slot whose directory is there, unless somebody else has it.
    fn lock(&self, number: u64) -> io::Result<Option<Slot>> {
        let path = self.path(number);
        // Read as well, or opening a pipe would wait for somebody to read it.
        let lock = private::options().read(true).write(true).create(true).truncate(false).open(path.join(LOCK))?;
        if !lock.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the lock is no file"));
        }
        match lock.try_lock() {
            Ok(()) => Ok(Some(Slot { slots: self.clone(), number, path, lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{}{number}", self.prefix))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let number = |name: &str| name.strip_prefix(&*self.prefix)?.parse::<u64>().ok();
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            numbers.extend(entry?.file_name().to_str().and_then(number));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

// === impl Slot ===

impl Slot {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The other slots, of processes that have ended and left something. Each is held while it is looked at.
    pub(super) fn abandoned(&self) -> impl Iterator<Item = Slot> {
        let numbers = self.slots.numbers().unwrap_or_default();
        let others = numbers.into_iter().filter(|number| *number != self.number);
        let left_over = others.filter(|number| has_left_over(&self.slots.path(*number)));
        left_over.filter_map(|number| self.slots.lock(number).ok().flatten())
    }

    /// Whether the directory is still this one's. Somebody may have removed it, and another process may have it now.
    pub(super) fn check(&self) -> io::Result<()> {
        let is_held = private::is_at(&self.lock, &self.path.join(LOCK));
        is_held.then_some(()).ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the spool's directory was removed"))
    }
}

fn has_left_over(slot: &Path) -> bool {
    SIGNALS.iter().any(|signal| Listing::of(&slot.join(signal)).is_ok_and(|listing| !listing.segments.is_empty()))
}
