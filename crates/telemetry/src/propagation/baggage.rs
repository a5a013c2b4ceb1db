//! The `baggage` header (W3C Baggage, <https://www.w3.org/TR/baggage/>).
//!
//! A member that breaks the grammar is left out and the others stay; what exceeds the limits is not read, so hostile
//! input costs no more than the longest valid header.

use http::HeaderValue;
use opentelemetry::baggage::{Baggage, BaggageMetadata};
use opentelemetry::{Key, StringValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::WHITE_SPACE;

/// The members that are passed on ("Limits"), malformed ones and those of the same key included.
const MAX_MEMBERS: usize = 64;

/// The bytes of the header that are passed on ("Limits").
const MAX_LENGTH: usize = 8192;

/// What is encoded in a value: all but `baggage-octet`, `%` itself, and `=` for the parsers that split at each one.
const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%').add(b'=');

/// What is encoded in properties, which are otherwise the application's own text.
const METADATA: &AsciiSet = &CONTROLS.remove(b'\t').add(b'"').add(b',').add(b'\\');

/// `ours`, with those members of `theirs` whose keys `is_allowed`.
pub(crate) fn joined(ours: &Baggage, theirs: &Baggage, is_allowed: impl Fn(&str) -> bool) -> Baggage {
    let mut joined = Baggage::new();
    let allowed = theirs.iter().filter(|(key, _)| is_allowed(key.as_str()));
    for (key, (value, metadata)) in ours.iter().chain(allowed) {
        joined.insert_with_metadata(key.clone(), value.clone(), metadata.clone());
    }
    joined
}

/// The members of all lines, a later one in place of an earlier one of the same key; `None` if there are none.
pub(super) fn parse<'h>(lines: impl Iterator<Item = &'h [u8]>) -> Option<Baggage> {
    let mut baggage: Option<Baggage> = None;
    let mut bytes = MAX_LENGTH;
    let mut members = MAX_MEMBERS;
    for line in lines {
        for text in readable(line, bytes).split(|byte| *byte == b',').take(members) {
            members -= 1;
            if let Some((key, value, metadata)) = member(text) {
                baggage.get_or_insert_default().insert_with_metadata(key, value, metadata);
            }
        }
        // Lines combine with a comma.
        bytes = bytes.saturating_sub(line.len() + ",".len());
        if bytes == 0 || members == 0 {
            break;
        }
    }
    baggage.filter(|baggage| !baggage.is_empty())
}

/// The header's value, ordered by key; `None` if there is nothing to send.
///
/// Members that would exceed a limit are left out whole.
pub(super) fn format(baggage: &Baggage) -> Option<HeaderValue> {
    if baggage.is_empty() {
        return None;
    }
    let mut members: Vec<_> = baggage.iter().collect();
    members.sort_unstable_by_key(|(key, _)| key.as_str());
    let mut list = String::new();
    for (key, (value, metadata)) in members {
        let member = encoded(key, value, metadata);
        let separator = if list.is_empty() { "" } else { "," };
        if list.len() + separator.len() + member.len() <= MAX_LENGTH {
            list.push_str(separator);
            list.push_str(&member);
        }
    }
    HeaderValue::try_from(list).ok().filter(|list| !list.is_empty())
}

/// As many whole members of a line as its first `limit` bytes hold.
fn readable(line: &[u8], limit: usize) -> &[u8] {
    if line.len() <= limit {
        return line;
    }
    let end = line[..=limit].iter().rposition(|byte| *byte == b',').unwrap_or(0);
    &line[..end]
}

fn member(text: &[u8]) -> Option<(String, String, &str)> {
    let text = std::str::from_utf8(text).ok()?;
    let (pair, metadata) = text.split_once(';').unwrap_or((text, ""));
    let (key, value) = pair.split_once('=')?;
    let (key, value) = (key.trim_matches(WHITE_SPACE), value.trim_matches(WHITE_SPACE));
    let metadata = metadata.trim_matches(WHITE_SPACE);
    if key.is_empty() || !key.bytes().all(is_token) || !value.bytes().all(is_octet) {
        return None;
    }
    let metadata = if metadata.bytes().all(is_property) { metadata } else { "" };
    let value = percent_decode_str(value).decode_utf8_lossy();
    Some((key.to_owned(), value.into_owned(), metadata))
}

fn encoded(key: &Key, value: &StringValue, metadata: &BaggageMetadata) -> String {
    let mut member = format!("{key}={}", utf8_percent_encode(value.as_str(), VALUE));
    if !metadata.as_str().is_empty() {
        member.push(';');
        member.extend(utf8_percent_encode(metadata.as_str(), METADATA));
    }
    member
}

/// A character of `token` (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A character of a value ("baggage-octet").
fn is_octet(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// A character of properties: that of their values, their separators and the white space around them.
fn is_property(byte: u8) -> bool {
    is_octet(byte) || matches!(byte, b';' | b' ' | b'\t')
}

#[cfg(test)]
mod tests;
