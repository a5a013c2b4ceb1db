//! The files of one signal: segments, named by their number, and those that were set aside.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

const SEGMENT: &str = "segment";
const SET_ASIDE: &str = "segment.quarantined";

/// What is in a directory, by number.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) segments: BTreeSet<u64>,
    set_aside: BTreeSet<u64>,
}

/// The path of a segment.
pub(super) fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.{SEGMENT}"))
}

/// Renames a segment that is not to be read. It stays there for people, within bounds: see [`Listing::shed`].
pub(super) fn set_aside(directory: &Path, number: u64) -> io::Result<()> {
    fs::rename(segment(directory, number), path_set_aside(directory, number))
}

fn path_set_aside(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.{SET_ASIDE}"))
}

// === impl Listing ===

impl Listing {
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            match named(&entry) {
                Some((number, SEGMENT)) => listing.segments.insert(number),
                Some((number, _)) => listing.set_aside.insert(number),
                None => false,
            };
        }
        Ok(listing)
    }

    /// A number that is greater than all that were given.
    pub(super) fn next_number(&self) -> u64 {
        let last = self.segments.last().max(self.set_aside.last());
        last.map_or(0, |last| last.saturating_add(1))
    }

    /// Removes files of this directory that were set aside, but for the newest that fit into `most` bytes. Says how many
    /// bytes those take.
    pub(super) fn shed(&self, directory: &Path, most: u64) -> u64 {
        let mut kept = 0_u64;
        for number in self.set_aside.iter().rev() {
            let path = path_set_aside(directory, *number);
            let bytes = path.metadata().map_or(0, |metadata| metadata.len());
            let is_kept = kept.saturating_add(bytes) <= most;
            if is_kept || fs::remove_file(&path).is_err() {
                kept = kept.saturating_add(bytes);
            }
        }
        kept
    }
}

/// The number and the kind that a file's name says, if it is one of ours.
fn named(entry: &DirEntry) -> Option<(u64, &'static str)> {
    let name = entry.file_name();
    let (number, kind) = name.to_str()?.split_once('.')?;
    let kind = [SEGMENT, SET_ASIDE].into_iter().find(|known| *known == kind)?;
    let number = number.parse().ok().filter(|parsed| *number == format!("{parsed:020}"))?;
    // Not a pipe, for one: opening it would wait for somebody to write.
    entry.file_type().ok().filter(|file| file.is_file())?;
    Some((number, kind))
}
