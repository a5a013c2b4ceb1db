//! The `tracestate` header (W3C Trace Context level 2, section 3.3, "Tracestate Header").
//!
//! A list that is passed on is passed on as it came: the text is kept, not its parts. OpenTelemetry's own
//! [`TraceState`] has the grammar of level 1 and may refuse members that level 2 allows, so samplers are shown what it
//! takes, and only a change that a sampler made is applied to the text.

use http::HeaderValue;
use opentelemetry::trace::TraceState;

use super::trim;

/// The most members that a list may have ("list"). Blank ones, which are left by joining lines, do not count, but no more
/// of them than this are looked at.
const MAX_MEMBERS: usize = 32;

/// The longest list that is passed on whole. At least 512 characters are asked for ("tracestate Limits"); this leaves
/// half of the 8 KiB that many peers allow for all headers of a call.
pub(super) const MAX_LENGTH: usize = 4096;

/// Members longer than this are the first to go from a list that is too long ("tracestate Limits").
const LARGE_MEMBER: usize = 128;

/// Keys and values are at most this long ("Key", "Value").
const MAX_PART: usize = 256;

/// A member of a list: key and value.
type Member<'a> = (&'a str, &'a str);

/// The list that the header lines make together, in their order; `None` if it is empty or any member is malformed.
///
/// Keys that occur twice are passed on: they are the sender's fault and not the receiver's to mend. A list that is too
/// long loses whole members.
pub(super) fn combine<'h>(lines: impl Iterator<Item = &'h [u8]>) -> Option<String> {
    let mut list = Vec::new();
    for line in lines.map(trim).filter(|line| !line.is_empty()) {
        if !list.is_empty() {
            list.push(b',');
        }
        list.extend_from_slice(line);
    }
    if !is_valid(&list) {
        return None;
    }
    let list = String::from_utf8(list).ok()?;
    if list.len() <= MAX_LENGTH { Some(list) } else { shortened(members(&list).collect()) }
}

/// The part of a list that OpenTelemetry's grammar of level 1 takes.
pub(super) fn shown(list: &str) -> TraceState {
    TraceState::from_key_value(members(list)).unwrap_or_else(|_| {
        let taken = members(list).filter(|member| TraceState::from_key_value([*member]).is_ok());
        TraceState::from_key_value(taken).unwrap_or_default()
    })
}

/// `received` with what changed between what was shown of it and `now`: changed and new members go to the front, the
/// rest keeps its order ("Mutating the tracestate Field").
pub(super) fn merged(received: &str, shown: &TraceState, now: &TraceState) -> Option<String> {
    let mut list: Vec<Member<'_>> = Vec::new();
    for (key, value) in now {
        let changed = shown.get(key) != now.get(key) && list.iter().all(|(other, _)| *other != key);
        if changed && is_key(key.as_bytes()) && is_value(value.as_bytes()) {
            list.push((key, value));
        }
    }
    list.extend(members(received).filter(|(key, _)| shown.get(key) == now.get(key)));
    shortened(list)
}

/// Whether a list has members, not too many, and every one of them well-formed.
fn is_valid(list: &[u8]) -> bool {
    let (mut members, mut blank) = (0, 0);
    for member in list.split(|byte| *byte == b',').map(trim) {
        if member.is_empty() {
            blank += 1;
        } else if parse(member).is_some() {
            members += 1;
        } else {
            return false;
        }
        if members > MAX_MEMBERS || blank > MAX_MEMBERS {
            return false;
        }
    }
    members > 0
}

/// A list as a header's value; its members are printable ASCII.
pub(super) fn header(list: &str) -> HeaderValue {
    HeaderValue::from_str(list).expect("keys, values and white space of a list are printable ASCII")
}

/// The list without the members that are too many or make it too long; `None` if nothing is left.
fn shortened(mut list: Vec<Member<'_>>) -> Option<String> {
    list.truncate(MAX_MEMBERS);
    let length = |(key, value): &Member<'_>| key.len() + value.len() + "=".len();
    while list.iter().map(length).sum::<usize>() + list.len().saturating_sub(1) > MAX_LENGTH {
        let large = list.iter().rposition(|member| length(member) > LARGE_MEMBER);
        list.remove(large.unwrap_or(list.len() - 1));
    }
    let members: Vec<String> = list.iter().map(|(key, value)| format!("{key}={value}")).collect();
    (!members.is_empty()).then(|| members.join(","))
}

fn members(list: &str) -> impl Iterator<Item = Member<'_>> {
    list.split(',').filter_map(|member| parse(trim(member.as_bytes())))
}

fn parse(member: &[u8]) -> Option<Member<'_>> {
    let equals = member.iter().take(MAX_PART + 1).position(|byte| *byte == b'=')?;
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let valid = is_key(key) && is_value(value);
    if valid { str::from_utf8(key).ok().zip(str::from_utf8(value).ok()) } else { None }
}

fn is_key(key: &[u8]) -> bool {
    (1..=MAX_PART).contains(&key.len())
        && matches!(key[0], b'a'..=b'z' | b'0'..=b'9')
        && key.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@'))
}

fn is_value(value: &[u8]) -> bool {
    (1..=MAX_PART).contains(&value.len())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'='))
        && value.last() != Some(&b' ')
}

#[cfg(test)]
mod tests;
