//! The bytes of a segment: a file header, then records. Numbers are little-endian.
//!
//! ```text
//! file header  magic [8]  version u32  salt u64  checksum u32
//! record       marker [4]  state u8  sequence u32  length u32  items u64  body checksum u32  checksum u32  body
//! ```
//!
//! Checksums are CRC32C. That of a record's header covers the segment's salt and all between the state and itself. The
//! salt is random and leaves the file in no request: who writes the attributes of a span cannot make its bytes look like
//! a record, should a search ever begin inside it.

use bytes::{Buf, BufMut};
use crc::{CRC_32_ISCSI, Crc, Table};

/// What a file begins with. No text, and changed by whatever changes line ends.
const MAGIC: [u8; 8] = *b"\x89SPOOL\r\n";

/// Changes with the layout: other versions are not read.
const VERSION: u32 = 1;

/// What a record begins with: unlikely in encoded text and numbers.
pub(super) const MARKER: [u8; 4] = [0xD7, 0x3A, 0xC4, 0x91];

/// The length of a file's header.
pub(super) const FILE_HEADER: usize = 24;

/// The length of a record's header.
pub(super) const HEADER: usize = 29;

/// The largest body: what OTLP lets a request have.
pub(super) const MOST_BODY: usize = 64 << 20;

/// Where in a record its state stands.
pub(super) const STATE_AT: usize = 4;

/// The states differ in every bit: no single one that flips makes one of the other.
const WAITING: u8 = 0x00;
pub(super) const DONE: u8 = 0xFF;

/// CRC-32/ISCSI is CRC32C.
static CASTAGNOLI: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// What a record says of itself, but for its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The place among the records of its segment.
    pub(super) sequence: u32,
    /// Of the body.
    pub(super) length: u32,
    pub(super) items: u64,
    body_checksum: u32,
}

/// Begins a segment.
pub(super) fn put_file_header(salt: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.put_slice(&MAGIC);
    out.put_u32_le(VERSION);
    out.put_u64_le(salt);
    let checksum = CASTAGNOLI.checksum(&out[start..]);
    out.put_u32_le(checksum);
}

/// The salt of a segment that begins like this, if it is one of this version.
pub(super) fn salt(bytes: &[u8]) -> Option<u64> {
    let (covered, mut checksum) = bytes.get(..FILE_HEADER)?.split_at_checked(FILE_HEADER - 4)?;
    let mut rest = covered.strip_prefix(&MAGIC)?;
    let is_ours = rest.get_u32_le() == VERSION && checksum.get_u32_le() == CASTAGNOLI.checksum(covered);
    is_ours.then(|| rest.get_u64_le())
}

/// Whether the record that begins like this is done, whatever else it is.
pub(super) fn is_done(bytes: &[u8]) -> bool {
    bytes.get(STATE_AT).is_some_and(|state| state.count_ones() > u8::BITS / 2)
}

// === impl Header ===

impl Header {
    /// Of `body`, which is not larger than [`MOST_BODY`].
    pub(super) fn of(sequence: u32, items: u64, body: &[u8]) -> Self {
        Self { sequence, length: body.len() as u32, items, body_checksum: CASTAGNOLI.checksum(body) }
    }

    /// Begins a record that waits.
    pub(super) fn put(&self, salt: u64, out: &mut Vec<u8>) {
        out.put_slice(&MARKER);
        out.put_u8(WAITING);
        let start = out.len();
        out.put_u32_le(self.sequence);
        out.put_u32_le(self.length);
        out.put_u64_le(self.items);
        out.put_u32_le(self.body_checksum);
        let checksum = salted(salt, &out[start..]);
        out.put_u32_le(checksum);
    }

    /// The header that `bytes` begin with, if it is a whole one of the segment with this salt.
    pub(super) fn parse(bytes: &[u8], salt: u64) -> Option<Self> {
        let rest = bytes.get(..HEADER)?.strip_prefix(&MARKER)?.get(1..)?;
        let (mut covered, mut checksum) = rest.split_at_checked(rest.len() - 4)?;
        if checksum.get_u32_le() != salted(salt, covered) {
            return None;
        }
        let header = Self {
            sequence: covered.get_u32_le(),
            length: covered.get_u32_le(),
            items: covered.get_u64_le(),
            body_checksum: covered.get_u32_le(),
        };
        (header.length as usize <= MOST_BODY).then_some(header)
    }

    /// The length of the whole record.
    pub(super) fn record_length(&self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }

    /// Whether this is the body it was made for.
    pub(super) fn is_of(&self, body: &[u8]) -> bool {
        CASTAGNOLI.checksum(body) == self.body_checksum
    }
}

fn salted(salt: u64, bytes: &[u8]) -> u32 {
    let mut digest = CASTAGNOLI.digest();
    digest.update(&salt.to_le_bytes());
    digest.update(bytes);
    digest.finalize()
}
