//! The encoding of protobuf, as much of it as spans need, and byte for byte as prost has it: fields in the order of their
//! numbers, none that is zero or empty, no length longer than it must be.

/// A tag's type of a number in seven bits a byte.
pub(super) const VARINT: u32 = 0;
const FIXED64: u32 = 1;
/// That of what begins with its length.
pub(super) const DELIMITED: u32 = 2;
const FIXED32: u32 = 5;

/// How many bytes are kept free for the length of a [`message`]: right from 128 to 16383 bytes, as nearly all spans are.
const USUAL_WIDTH: usize = 2;

/// Appends what stands before a field of `length` bytes: a text, bytes or a message.
#[inline]
pub(super) fn head(field: u32, length: usize, out: &mut Vec<u8>) {
    if field < 0x10 && length < 0x80 {
        // As nearly all are: two bytes, and one look at whether there is room for them.
        out.extend_from_slice(&[(field << 3 | DELIMITED) as u8, length as u8]);
    } else {
        tag(field, DELIMITED, out);
        varint(length as u64, out);
    }
}

/// How long such a field is together with its head, if its number is below 16.
#[inline]
pub(super) fn length_with_head(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

/// Appends a text, unless it is empty.
#[inline]
pub(super) fn string(field: u32, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        head(field, text.len(), out);
        out.extend_from_slice(text.as_bytes());
    }
}

/// How much [`string`] appends, if the field's number is below 16.
#[inline]
pub(super) fn string_length(text: &str) -> usize {
    if text.is_empty() { 0 } else { length_with_head(text.len()) }
}

/// Appends a `uint32` or an enumeration's value, unless it is 0.
#[inline]
pub(super) fn counter(field: u32, count: u32, out: &mut Vec<u8>) {
    if count != 0 {
        tag(field, VARINT, out);
        varint(u64::from(count), out);
    }
}

/// Appends a `fixed32`, unless it is 0.
#[inline]
pub(super) fn fixed32(field: u32, number: u32, out: &mut Vec<u8>) {
    if number != 0 {
        tag(field, FIXED32, out);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Appends a `fixed64`, unless it is 0.
#[inline]
pub(super) fn fixed64(field: u32, number: u64, out: &mut Vec<u8>) {
    if number != 0 {
        tag(field, FIXED64, out);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Appends a `double`, be it 0 or not.
#[inline]
pub(super) fn double(field: u32, number: f64, out: &mut Vec<u8>) {
    tag(field, FIXED64, out);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a message that is as long as what `write` appends.
#[inline]
pub(super) fn message(field: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    tag(field, DELIMITED, out);
    let start = out.len();
    out.extend_from_slice(&[0; USUAL_WIDTH]);
    write(out);
    let length = out.len() - start - USUAL_WIDTH;
    let width = varint_length(length as u64);
    if width != USUAL_WIDTH {
        move_message(start, width, out);
    }
    let mut rest = length;
    for byte in &mut out[start..start + width] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[start + width - 1] &= 0x7f;
}

/// Makes the room at `start` `width` bytes wide.
#[cold]
fn move_message(start: usize, width: usize, out: &mut Vec<u8>) {
    let end = out.len();
    let new_end = end - USUAL_WIDTH + width;
    out.resize(new_end.max(end), 0);
    out.copy_within(start + USUAL_WIDTH..end, start + width);
    out.truncate(new_end);
}

/// Appends a field's number and type.
#[inline]
pub(super) fn tag(field: u32, wire_type: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | wire_type), out);
}

/// Appends a number in seven bits a byte, the lowest first.
#[inline]
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes [`varint`] appends: 1 to 10.
#[inline]
pub(super) fn varint_length(number: u64) -> usize {
    // As many sevens as hold the bits that count, one at least.
    (70 - (number | 1).leading_zeros() as usize) / 7
}
