//! The reader of a segment, alone with whatever bytes there are.

use std::collections::HashSet;
use std::io::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::pipeline::spool::record::{FILE_HEADER, HEADER, Header, MARKER, put_file_header};
use crate::pipeline::spool::records::{Cursor, Records};

const SALT: u64 = 7;

/// Something that may stand in a file.
#[derive(Clone, Debug)]
enum Piece {
    Record {
        sequence: u32,
        body: Vec<u8>,
    },
    /// A record of which only the begin is there.
    Torn {
        sequence: u32,
        body: Vec<u8>,
        left: Index,
    },
    /// A header with a good checksum that says it has such a body.
    Lie {
        sequence: u32,
        length: u32,
    },
    Marker,
    Garbage(Vec<u8>),
    /// More of it than is read at once.
    Zeros(usize),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let body = || vec(prop_oneof![any::<u8>(), proptest::sample::select(MARKER.to_vec())], 0..200);
    // More than may be, than there is, and than there is memory for.
    let lengths = prop_oneof![Just(u32::MAX), Just(MOST_BODY as u32 + 1), Just(MOST_BODY as u32), 0_u32..4000];
    let piece = prop_oneof![
        4 => (0_u32..6, body()).prop_map(|(sequence, body)| Piece::Record { sequence, body }),
        1 => (0_u32..6, body(), any::<Index>()).prop_map(|(sequence, body, left)| Piece::Torn { sequence, body, left }),
        1 => (0_u32..6, lengths).prop_map(|(sequence, length)| Piece::Lie { sequence, length }),
        1 => Just(Piece::Marker),
        1 => vec(any::<u8>(), 0..300).prop_map(Piece::Garbage),
        1 => (0_usize..20_000).prop_map(Piece::Zeros),
    ];
    vec(piece, 0..12)
}

// === impl Piece ===

impl Piece {
    fn put(&self, out: &mut Vec<u8>) {
        let record = |sequence, body: &[u8], out: &mut Vec<u8>| {
            Header::of(sequence, 1, body).put(SALT, out);
            out.extend_from_slice(body);
        };
        match self {
            Self::Record { sequence, body } => record(*sequence, body, out),
            Self::Torn { sequence, body, left } => {
                let start = out.len();
                record(*sequence, body, out);
                out.truncate(start + left.index(HEADER + body.len()));
            }
            Self::Lie { sequence, length } => {
                let mut header = Header::of(*sequence, 1, b"what it is not");
                header.length = *length;
                header.put(SALT, out);
            }
            Self::Marker => out.extend_from_slice(&MARKER),
            Self::Garbage(bytes) => out.extend_from_slice(bytes),
            Self::Zeros(length) => out.resize(out.len() + length, 0),
        }
    }
}

fn opened(bytes: &[u8]) -> Option<Records> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Records::open(file).unwrap()
}

/// Reads all of it. Says which bodies came out.
#[track_caller]
fn read(mut records: Records, bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut cursor, mut before, mut bodies) = (Cursor::START, None, Vec::new());
    while let Some(found) = records.next(&mut cursor).unwrap() {
        let place = Some((found.at, found.header.sequence));
        assert!(before.is_none_or(|(at, sequence)| at < found.at && sequence < found.header.sequence), "{found:?}");
        before = place;
        // As much memory is taken as this says.
        assert!(found.at + found.header.record_length() <= bytes.len() as u64, "{found:?}");
        bodies.extend(records.body(&found, &mut cursor).unwrap().map(|body| body.to_vec()));
    }
    bodies
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn of_any_pieces_only_what_was_written_is_read(
        pieces in pieces(),
        spoiled in vec((any::<Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = Vec::new();
        put_file_header(SALT, &mut bytes);
        pieces.iter().for_each(|piece| piece.put(&mut bytes));
        for (at, byte) in spoiled {
            let behind = &mut bytes[FILE_HEADER..];
            if !behind.is_empty() {
                *at.get_mut(behind) = byte;
            }
        }
        let written: HashSet<_> = pieces.into_iter().filter_map(|piece| match piece {
            Piece::Record { body, .. } | Piece::Torn { body, .. } => Some(body),
            _ => None,
        }).collect();
        let read = read(opened(&bytes).unwrap(), &bytes);
        prop_assert!(read.iter().all(|body| written.contains(body)));
    }

    #[test]
    fn good_pieces_are_read_among_bad_ones(pieces in pieces()) {
        let mut bytes = Vec::new();
        put_file_header(SALT, &mut bytes);
        pieces.iter().for_each(|piece| piece.put(&mut bytes));
        Piece::Record { sequence: 6, body: b"the last".to_vec() }.put(&mut bytes);
        let read = read(opened(&bytes).unwrap(), &bytes);
        prop_assert_eq!(read.last().map(Vec::as_slice), Some(b"the last".as_slice()));
    }

    #[test]
    fn bytes_that_are_no_segment_are_known_as_such(bytes in vec(any::<u8>(), 1..3000)) {
        prop_assert!(opened(&bytes).is_none());
    }
}

#[test]
fn a_record_that_ends_where_the_body_of_a_torn_one_would_is_read() {
    let (torn, last) = ([1; 100], b"the last");
    let mut bytes = Vec::new();
    put_file_header(SALT, &mut bytes);
    Piece::Record { sequence: 0, body: torn.to_vec() }.put(&mut bytes);
    bytes.truncate(bytes.len() - HEADER - last.len());
    Piece::Record { sequence: 1, body: last.to_vec() }.put(&mut bytes);
    assert_eq!(read(opened(&bytes).unwrap(), &bytes), [last]);
}
