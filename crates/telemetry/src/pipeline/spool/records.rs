//! The records of a segment file, found whatever has become of the bytes between them.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};

use bytes::Bytes;

use super::record::{self, DONE, FILE_HEADER, HEADER, Header, MARKER, STATE_AT};

/// How much is read at once, but for bodies.
const WINDOW: u64 = 8 << 10;

/// An open segment file.
#[derive(Debug)]
pub(super) struct Records {
    file: File,
    length: u64,
    salt: u64,
    /// The bytes of the file from `window_at` on.
    window: Vec<u8>,
    window_at: u64,
}

/// How far a segment is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    pub(super) offset: u64,
    /// The least that the next record's sequence may be: none comes twice or out of order.
    pub(super) sequence: u32,
}

/// A record with a good header, and room in the file for its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) at: u64,
    pub(super) header: Header,
    pub(super) is_done: bool,
}

// === impl Records ===

impl Records {
    /// The records in `file` that were written with `salt`.
    pub(super) fn of(file: File, salt: u64) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, salt, window: Vec::new(), window_at: 0 })
    }

    /// The records in `file` by the salt it names; `None` if it is no segment of this version.
    pub(super) fn open(file: File) -> io::Result<Option<Self>> {
        let mut records = Self::of(file, 0)?;
        let salt = record::salt(records.window(0)?);
        // Created and never written to: there is nothing in it, hence nothing that could not be read.
        let salt = if records.length == 0 { Some(0) } else { salt };
        Ok(salt.map(|salt| Self { salt, ..records }))
    }

    pub(super) fn salt(&self) -> u64 {
        self.salt
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The first record at the cursor or behind it, and moves the cursor past it.
    pub(super) fn next(&mut self, cursor: &mut Cursor) -> io::Result<Option<Found>> {
        let Some(found) = self.find(cursor.offset, cursor.sequence)? else { return Ok(None) };
        let offset = self.after(&found)?;
        *cursor = Cursor { offset, sequence: found.header.sequence.saturating_add(1) };
        Ok(Some(found))
    }

    /// The body of a record, unless it is not the one that was written: then moves the cursor into it, as records may
    /// stand in its place.
    pub(super) fn body(&mut self, found: &Found, cursor: &mut Cursor) -> io::Result<Option<Bytes>> {
        let body = self.whole_body(found)?;
        if body.is_none() {
            cursor.offset = found.inside();
        }
        Ok(body)
    }

    fn whole_body(&mut self, found: &Found) -> io::Result<Option<Bytes>> {
        // No longer than the file: see `header`.
        let mut body = vec![0; found.header.length as usize];
        self.file.seek(SeekFrom::Start(found.inside()))?;
        match self.file.read_exact(&mut body) {
            Ok(()) => Ok(found.header.is_of(&body).then(|| body.into())),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Marks the record as done, if it still is where it was found: any other place may hold a good one's bytes.
    pub(super) fn mark_done(&mut self, found: &Found) -> io::Result<()> {
        if self.header(found.at)?.is_some_and(|there| there.header == found.header) {
            self.file.seek(SeekFrom::Start(found.at + STATE_AT as u64))?;
            self.file.write_all(&[DONE])?;
        }
        Ok(())
    }

    /// Where to look for the record after this one: behind its body, unless what is there shows that bytes are missing
    /// or too many. Then from inside the body on.
    fn after(&mut self, found: &Found) -> io::Result<u64> {
        let end = found.at + found.header.record_length();
        let is_whole = end == self.length || self.header(end)?.is_some();
        Ok(if is_whole { end } else { found.inside() })
    }

    /// The first record at `at` or behind it, of those whose sequence is not less than `least`.
    fn find(&mut self, mut at: u64, least: u32) -> io::Result<Option<Found>> {
        while let Some(start) = self.marker(at)? {
            let found = self.header(start)?.filter(|found| found.header.sequence >= least);
            if found.is_some() {
                return Ok(found);
            }
            at = start + 1;
        }
        Ok(None)
    }

    /// Where the first marker at `at` or behind it is.
    fn marker(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        loop {
            let bytes = self.window(at)?;
            if bytes.len() < HEADER {
                return Ok(None);
            }
            if let Some(found) = bytes.windows(MARKER.len()).position(|bytes| bytes == MARKER) {
                return Ok(Some(at + found as u64));
            }
            at += (bytes.len() - MARKER.len() + 1) as u64;
        }
    }

    /// The record that begins at `at`, if one does.
    fn header(&mut self, at: u64) -> io::Result<Option<Found>> {
        let (salt, length) = (self.salt, self.length);
        let bytes = self.window(at)?;
        let header = Header::parse(bytes, salt).filter(|header| header.record_length() <= length.saturating_sub(at));
        Ok(header.map(|header| Found { at, header, is_done: record::is_done(bytes) }))
    }

    /// The bytes from `at` on: at least as many as a header has, unless the file ends before.
    fn window(&mut self, at: u64) -> io::Result<&[u8]> {
        const ENOUGH: usize = if HEADER > FILE_HEADER { HEADER } else { FILE_HEADER };
        let read = at.checked_sub(self.window_at).and_then(|start| usize::try_from(start).ok());
        let start = match read.filter(|start| self.window.len() >= start.saturating_add(ENOUGH)) {
            Some(start) => start,
            None => {
                self.window.clear();
                self.file.seek(SeekFrom::Start(at))?;
                self.window_at = at;
                (&self.file).take(WINDOW).read_to_end(&mut self.window)?;
                0
            }
        };
        Ok(&self.window[start..])
    }
}

// === impl Found ===

impl Found {
    /// Where its body begins.
    fn inside(&self) -> u64 {
        self.at + HEADER as u64
    }
}

// === impl Cursor ===

impl Cursor {
    /// Before the first record.
    pub(super) const START: Self = Self { offset: FILE_HEADER as u64, sequence: 0 };
}
