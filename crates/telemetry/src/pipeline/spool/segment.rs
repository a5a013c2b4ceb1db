use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::record::{self, FILE_HEADER, HEADER, Header};
use super::records::{Cursor, Records};
use super::{Record, directory, private};

/// How often in a row a file may fail to be read before it is given up: there may be too many files open at the moment.
const MOST_FAILURES: u32 = 16;

/// A file of records: what is known of it, and how far it is read. It is opened for each use, so that one that was
/// removed or replaced is noticed, and none keeps a descriptor while it waits.
#[derive(Debug)]
pub(super) struct Segment {
    number: u64,
    path: PathBuf,
    salt: u64,
    /// Whether an earlier process has written it.
    pub(super) is_earlier: bool,
    /// What it takes on disk.
    pub(super) bytes: u64,
    pub(super) waiting: Tally,
    cursor: Cursor,
    /// The sequence of the next record to be written.
    sequence: u32,
    is_sealed: bool,
    failures: u32,
}

/// Records, and the items in them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) items: u64,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(super) enum Next {
    Record(Record),
    /// A record whose body is not the one that was written. No longer waits.
    Corrupt(Tally),
    End,
}

// === impl Segment ===

impl Segment {
    /// One that is to be written. Its file comes with the first record.
    pub(super) fn new(directory: &Path, number: u64) -> Self {
        let (salt, _) = Uuid::new_v4().as_u64_pair();
        Self { salt, ..Self::at(directory, number) }
    }

    /// One that an earlier process has left, with the number of records that cannot be read; `None` if it is of
    /// another version, or no segment.
    ///
    /// Reads headers only: a process that starts does not wait for all that an outage has left.
    pub(super) fn left_over(directory: &Path, number: u64) -> io::Result<Option<(Self, u64)>> {
        let mut segment = Self { is_earlier: true, ..Self::at(directory, number) };
        let Some(mut records) = Records::open(File::open(&segment.path)?)? else { return Ok(None) };
        segment.salt = records.salt();
        segment.bytes = records.length();
        let mut corrupt = 0;
        let mut cursor = Cursor::START;
        let mut expected = cursor.sequence;
        while let Some(found) = records.next(&mut cursor)? {
            corrupt += u64::from(found.header.sequence - expected);
            expected = cursor.sequence;
            if !found.is_done {
                segment.waiting.add(found.header.items);
            }
        }
        // What has no header, at the end, is what was being written when the process died.
        corrupt += u64::from(cursor.offset < segment.bytes);
        Ok(Some((segment, corrupt)))
    }

    fn at(directory: &Path, number: u64) -> Self {
        Self {
            number,
            path: directory::segment(directory, number),
            salt: 0,
            is_earlier: false,
            bytes: 0,
            waiting: Tally::default(),
            cursor: Cursor::START,
            sequence: 0,
            is_sealed: false,
            failures: 0,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes such a body will take here.
    pub(super) fn growth(&self, body: &[u8]) -> u64 {
        let file_header = if self.bytes == 0 { FILE_HEADER } else { 0 };
        (file_header + HEADER + body.len()) as u64
    }

    /// Whether such a body may be appended, and the file stays within `most` bytes. Never to one that is not as it was
    /// left: what is found in it should stand in order.
    pub(super) fn takes(&self, body: &[u8], most: u64) -> bool {
        let is_open = !self.is_earlier && !self.is_sealed;
        let is_as_left = || self.path.metadata().is_ok_and(|file| file.len() == self.bytes);
        is_open && self.bytes.saturating_add(self.growth(body)) <= most && is_as_left()
    }

    /// Appends a record, whole or not at all, by one write.
    pub(super) fn append(&mut self, body: &[u8], items: u64) -> io::Result<()> {
        let growth = self.growth(body);
        let mut bytes = Vec::with_capacity(FILE_HEADER + HEADER + body.len());
        if self.bytes == 0 {
            record::put_file_header(self.salt, &mut bytes);
        }
        Header::of(self.sequence, items, body).put(self.salt, &mut bytes);
        bytes.extend_from_slice(body);
        self.write(&bytes).inspect_err(|_| self.is_sealed = true)?;
        self.bytes += growth;
        self.sequence += 1;
        self.waiting.add(items);
        Ok(())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let is_new = self.bytes == 0;
        let mut file = private::options().append(true).create_new(is_new).open(&self.path)?;
        file.write_all(bytes).inspect_err(|_| {
            // A part may have been written. If it stays, it is skipped like all that is torn.
            let _ = if is_new { std::fs::remove_file(&self.path) } else { file.set_len(self.bytes) };
        })
    }

    /// The next record that is not done.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        match self.read() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Next::End),
            read => read.inspect(|_| self.failures = 0),
        }
    }

    fn read(&mut self) -> io::Result<Next> {
        let mut records = Records::of(File::open(&self.path)?, self.salt)?;
        let mut cursor = self.cursor;
        while let Some(found) = records.next(&mut cursor)? {
            // Of its own records a process knows which are done.
            if self.is_earlier && found.is_done {
                continue;
            }
            let body = records.body(&found, &mut cursor)?;
            self.cursor = cursor;
            let items = found.header.items;
            let Some(body) = body else { return Ok(Next::Corrupt(self.waiting.take(items))) };
            return Ok(Next::Record(Record { body, items, is_earlier: self.is_earlier, segment: self.number, found }));
        }
        Ok(Next::End)
    }

    /// Notes that it could not be read. Says whether to try again later.
    pub(super) fn failed(&mut self) -> bool {
        self.failures += 1;
        self.failures < MOST_FAILURES
    }

    /// Tells the next process that the record is done.
    pub(super) fn mark_done(&self, record: &Record) {
        let file = File::options().read(true).write(true).open(&self.path);
        // Unmarked, it is sent once more by the next process: twice is better than never.
        let _ = file.and_then(|file| Records::of(file, self.salt)?.mark_done(&record.found));
    }
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, items: u64) {
        self.records = self.records.saturating_add(1);
        self.items = self.items.saturating_add(items);
    }

    /// Takes one record out, as far as there is one, and says what was taken. A file that has been tampered with may
    /// hold more than was ever counted.
    pub(super) fn take(&mut self, items: u64) -> Self {
        let taken = Self { records: self.records.min(1), items: self.items.min(items) };
        self.records -= taken.records;
        self.items -= taken.items;
        taken
    }
}
