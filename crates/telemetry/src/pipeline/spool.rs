//! Encoded requests that a collector could not take, kept on disk until it can, by this process or a later one.
//!
//! `TELEMETRY_SPOOL_DIR` names the directory, and without it there is no spool; `TELEMETRY_SPOOL_MAX_BYTES` bounds what
//! one process keeps there (256 MiB unless it says otherwise). Nothing else is stored than the bodies of the requests,
//! in files that only their owner may read.
//!
//! ```text
//! <directory>/<service>-<n>/lock           held by one process as long as it lives
//! <directory>/<service>-<n>/traces/        also logs/ and metrics/
//!     00000000000000000007.segment         records, in order; see `record`
//!     00000000000000000003.segment.quarantined
//! ```
//!
//! A process takes the first free slot, one with left-overs before others. At its start, and now and then while it has
//! nothing to send again, it moves there what is left in other slots that nobody holds. It appends to segments of its own
//! only, and removes each when all of its records are done.
//!
//! # What survives
//!
//! A record is handed to the operating system by one write, and not forced to the disk. When the process is killed
//! (`kill -9`), everything survives that [`append`](Spool::append) has returned for; of each signal at most the one
//! record is lost that was being written, and it is skipped. When the machine stops, the last seconds may be lost.
//! [`done`](Spool::done) marks a record in place; one that had arrived and was not marked yet is sent again.
//!
//! # What is damaged
//!
//! Whatever becomes of the files, a record comes out as it went in, in its order and once in a process, or not at all.
//! Then the process that has written it counts it. A later one knows only what it finds: a record that is damaged counts
//! as one, and so does the end of a segment that is cut off inside a record, however many were behind it. Unnoticed go
//! segments that are removed, what is cut off between two records, and a record whose state reads as done.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use self::budget::Budget;
use self::directory::Listing;
use self::record::MOST_BODY;
use self::records::Found;
use self::segment::{Next, Segment};
use self::slot::Slot;
use self::state::State;
use crate::lock::lock;

mod spools;
mod status;
mod slot;
mod budget;
mod state;
mod segment;
mod records;
mod record;
mod directory;
mod private;

pub(super) use spools::Spools;
pub(super) use status::{Refused, Status};

/// The largest segment, unless a single record is larger.
const MOST_PER_SEGMENT: u64 = 4 << 20;

/// The least number of segments that a full spool has: room is made by whole ones.
const SEGMENTS: u64 = 16;

/// The requests of one signal. All that it does may wait for the disk.
#[derive(Debug)]
pub(super) struct Spool {
    slot: Arc<Slot>,
    /// What its directory in a slot is called.
    signal: &'static str,
    directory: PathBuf,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

/// A request that waits.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) body: Bytes,
    pub(super) items: u64,
    /// Whether an earlier process has written it.
    pub(super) is_earlier: bool,
    segment: u64,
    found: Found,
}

// === impl Spool ===

impl Spool {
    /// The spool of `signal` in `slot`, with what is left there.
    fn open(slot: Arc<Slot>, signal: &'static str, budget: Arc<Budget>) -> io::Result<Self> {
        let directory = slot.path().join(signal);
        private::create_directory(&directory)?;
        let listing = Listing::of(&directory)?;
        let state = State { next_number: listing.next_number(), ..State::default() };
        let spool = Self { slot, signal, directory, budget, state: Mutex::new(state) };
        let mut state = spool.lock();
        for number in listing.segments {
            spool.take_in(&mut state, number);
        }
        spool.bound_quarantine(&mut state);
        drop(state);
        Ok(spool)
    }

    /// Keeps a request with so many items, behind all others.
    pub(super) fn append(&self, body: &[u8], items: u64) -> Result<(), Refused> {
        self.slot.check()?;
        if body.len() > MOST_BODY {
            return Err(Refused::Full);
        }
        let mut state = self.lock();
        let most = (self.budget.most() / SEGMENTS).min(MOST_PER_SEGMENT);
        let open = state.segments.pop_back_if(|segment| segment.takes(body, most));
        let mut segment = match open {
            Some(segment) => segment,
            None => {
                private::create_directory(&self.directory)?;
                Segment::new(&self.directory, state.number())
            }
        };
        let growth = segment.growth(body);
        let appended = if self.budget.take(growth) {
            segment.append(body, items).inspect_err(|_| self.budget.give_back(growth)).map_err(Refused::Io)
        } else {
            Err(Refused::Full)
        };
        if segment.bytes > 0 {
            state.segments.push_back(segment);
        }
        appended
    }

    /// The oldest record that is not done: the same one until it is. `None` if there is none, or if the disk does not
    /// give it at the moment.
    pub(super) fn next(&self) -> Option<Record> {
        let mut state = self.lock();
        self.load(&mut state);
        state.head.clone()
    }

    /// The record has arrived, or is given up: it is not sent again, not by a later process either.
    pub(super) fn done(&self, record: &Record) {
        let mut state = self.lock();
        let is_head = |head: &Record| (head.segment, head.found.at) == (record.segment, record.found.at);
        if state.head.take_if(|head| is_head(head)).is_none() {
            return;
        }
        if let Some(segment) = state.segments.front_mut() {
            segment.waiting.take(record.items);
            if self.slot.check().is_ok() {
                segment.mark_done(record);
            }
        }
        // Removes the segment if this was its last record.
        self.load(&mut state);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().segments.is_empty()
    }

    /// What the files of all signals may take, in bytes.
    pub(super) fn max_bytes(&self) -> u64 {
        self.budget.most()
    }

    pub(super) fn status(&self) -> Status {
        let state = self.lock();
        let mut status = Status {
            bytes: state.quarantined_bytes,
            lost_items: state.lost_items,
            corrupt_records: state.corrupt_records,
            quarantined: state.quarantined,
            ..Status::default()
        };
        for segment in &state.segments {
            let items = if segment.is_earlier { &mut status.earlier_items } else { &mut status.items };
            *items = items.saturating_add(segment.waiting.items);
            status.records += segment.waiting.records;
            status.bytes += segment.bytes;
        }
        status
    }

    /// Moves here what other processes of the service have left that have ended, as far as there is room for it. Says
    /// how many files were of another format, and are set aside.
    pub(super) fn adopt(&self) -> u64 {
        let before = self.lock().quarantined;
        for abandoned in self.slot.abandoned() {
            self.adopt_from(&abandoned.path().join(self.signal));
        }
        self.lock().quarantined - before
    }

    fn adopt_from(&self, directory: &Path) {
        let Ok(listing) = Listing::of(directory) else { return };
        let mut state = self.lock();
        for left in listing.segments {
            let path = directory::segment(directory, left);
            let fits = path.metadata().is_ok_and(|file| self.budget.fits(file.len()));
            if !fits || self.slot.check().is_err() {
                break;
            }
            let number = state.number();
            if fs::rename(path, directory::segment(&self.directory, number)).is_err() {
                break;
            }
            self.take_in(&mut state, number);
        }
        self.bound_quarantine(&mut state);
    }

    /// Takes in a segment of an earlier process, which is in the directory.
    fn take_in(&self, state: &mut State, number: u64) {
        match Segment::left_over(&self.directory, number) {
            Ok(Some((segment, corrupt))) => {
                state.corrupt_records = state.corrupt_records.saturating_add(corrupt);
                if segment.waiting.records == 0 {
                    // What cannot be removed now is looked at again by a later process.
                    let _ = fs::remove_file(segment.path());
                } else {
                    self.budget.take_anyway(segment.bytes);
                    state.segments.push_back(segment);
                }
            }
            Ok(None) => {
                state.quarantined += 1;
                // A file that cannot be renamed is in nobody's way.
                let _ = directory::set_aside(&self.directory, number);
            }
            // It stays for a process that can read it.
            Err(_) => {}
        }
    }

    /// Keeps what was set aside from taking all the room.
    fn bound_quarantine(&self, state: &mut State) {
        let Ok(listing) = Listing::of(&self.directory) else { return };
        self.budget.give_back(state.quarantined_bytes);
        state.quarantined_bytes = listing.shed(&self.directory, self.budget.most() / SEGMENTS);
        self.budget.take_anyway(state.quarantined_bytes);
    }

    /// Finds the record that is next, unless one is handed out.
    fn load(&self, state: &mut State) {
        while state.head.is_none()
            && let Some(segment) = state.segments.front_mut()
        {
            match self.slot.check().and_then(|()| segment.next()) {
                Ok(Next::Record(record)) => state.head = Some(record),
                Ok(Next::Corrupt(record)) => {
                    let is_earlier = segment.is_earlier;
                    state.lose(is_earlier, record);
                }
                Ok(Next::End) => self.retire(state),
                Err(error) if error.kind() != ErrorKind::NotFound && segment.failed() => return,
                Err(_) => self.retire(state),
            }
        }
    }

    /// Removes the first segment. Whatever still waits in it is lost.
    fn retire(&self, state: &mut State) {
        let Some(segment) = state.segments.pop_front() else { return };
        state.lose(segment.is_earlier, segment.waiting);
        let removed = self.slot.check().and_then(|()| fs::remove_file(segment.path()));
        // A file that stays takes its room for good.
        if removed.map_or_else(|error| error.kind() == ErrorKind::NotFound, |()| true) {
            self.budget.give_back(segment.bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests;
