//! The `traceparent` header (W3C Trace Context level 2, section 3.2, "Traceparent Header").

use http::HeaderValue;
use opentelemetry::{SpanId, TraceFlags, TraceId};

use super::trim;

/// The flag that says that the trace id is random ("Random Trace ID Flag").
pub(super) const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// Length of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// A span as the next process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceParent {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    /// Sampled and random; the reserved flags are neither kept nor sent.
    pub(super) flags: TraceFlags,
}

// === impl TraceParent ===

impl TraceParent {
    /// The one valid header among `lines`; a second line makes them invalid, whatever it says.
    pub(super) fn of_lines<'h>(mut lines: impl Iterator<Item = &'h [u8]>) -> Option<Self> {
        let line = lines.next()?;
        if lines.next().is_some() { None } else { Self::parse(line) }
    }

    /// Reads a header's value, with or without white space around it.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let value = trim(value);
        let (known, rest) = value.split_at_checked(LENGTH)?;
        let [version] = hex(&known[..2])?;
        // A later version may go on behind a dash (section 4.2.3, "Versioning of traceparent").
        let ends = match version {
            0x00 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest[0] == b'-',
        };
        if !ends || [known[2], known[35], known[52]] != *b"---" {
            return None;
        }
        let trace_id = TraceId::from_bytes(hex(&known[3..35])?);
        let span_id = SpanId::from_bytes(hex(&known[36..52])?);
        let [flags] = hex(&known[53..])?;
        let valid = trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
        valid.then(|| Self { trace_id, span_id, flags: TraceFlags::new(flags) & (TraceFlags::SAMPLED | RANDOM) })
    }

    /// The header's value, in version 00.
    pub(super) fn header(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&self.trace_id.to_bytes(), &mut text[3..35]);
        write_hex(&self.span_id.to_bytes(), &mut text[36..52]);
        write_hex(&[self.flags.to_u8()], &mut text[53..]);
        ascii(&text)
    }

    /// The trace id alone, as a header's value.
    pub(super) fn trace_id_header(&self) -> HeaderValue {
        let mut text = [0; 32];
        write_hex(&self.trace_id.to_bytes(), &mut text);
        ascii(&text)
    }
}

/// Exactly `N` bytes from `2 * N` lower-case digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, odd) = digits.as_chunks();
    let mut bytes = [0; N];
    let mut invalid = pairs.len() != N || !odd.is_empty();
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (digit(*high), digit(*low));
        invalid |= (high | low) > 0x0f;
        *byte = high << 4 | (low & 0x0f);
    }
    (!invalid).then_some(bytes)
}

/// The value of a lower-case hexadecimal digit; more than 15 for anything else.
fn digit(character: u8) -> u8 {
    DIGITS[usize::from(character)]
}

/// A look-up: this is done some fifty times a call.
static DIGITS: [u8; 256] = {
    let mut digits = [0xf0; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const LETTERS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = LETTERS[usize::from(byte >> 4)];
        pair[1] = LETTERS[usize::from(byte & 0x0f)];
    }
}

fn ascii(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).expect("digits and dashes are visible ASCII")
}

#[cfg(test)]
mod tests;
