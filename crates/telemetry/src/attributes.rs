use std::borrow::Cow;

use opentelemetry::KeyValue;

/// How many characters of a name that callers invent become an attribute.
pub(crate) const LONGEST_NAME: usize = 256;

/// How many characters of a text from outside become an attribute.
const LONGEST_TEXT: usize = 4096;

/// A name from outside, such as a path or a user agent, short enough for a span.
pub(crate) fn shortened(name: &str) -> Cow<'static, str> {
    Cow::Owned(truncated(name, LONGEST_NAME).to_owned())
}

/// A text that what comes from outside may make long, such as an error's or a statement's, short enough for a span.
pub(crate) fn bounded(text: &str) -> Cow<'static, str> {
    Cow::Owned(fitting(text).to_owned())
}

/// As much of such a text as fits.
pub(crate) fn fitting(text: &str) -> &str {
    truncated(text, LONGEST_TEXT)
}

/// The first `length` characters.
pub(crate) fn truncated(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

/// Whether the text has more than `length` characters.
pub(crate) fn is_longer(text: &str, length: usize) -> bool {
    truncated(text, length).len() < text.len()
}

/// A host without the brackets that a URI puts around an IPv6 address.
pub(crate) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Keeps the last value of each attribute: the SDK keeps every one that was set, and OTLP allows one
/// (OpenTelemetry specification, "Attribute Collections").
pub(crate) fn last_of_each(attributes: &mut Vec<KeyValue>) {
    let mut marks = [0; 32];
    if attributes.len() <= marks.len() {
        // Most spans repeat nothing, which their keys' marks tell at once.
        let marks = &mut marks[..attributes.len()];
        marks.iter_mut().zip(&*attributes).for_each(|(mark, attribute)| *mark = mark_of(attribute.key.as_str()));
        if (1..marks.len()).all(|at| !marks[..at].contains(&marks[at])) {
            return;
        }
    }
    let mut at = 0;
    while at < attributes.len() {
        let is_last = attributes[at + 1..].iter().all(|later| later.key != attributes[at].key);
        if is_last {
            at += 1;
        } else {
            attributes.remove(at);
        }
    }
}

/// A number that is the same for the same key: of its length and of its first and last letters, by which most keys differ.
fn mark_of(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)),
        _ => (0, bytes.iter().fold(0, |mark, byte| mark << 8 | u64::from(*byte))),
    };
    // The golden ratio's digits, odd: no two first halves are multiplied to the same.
    first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ last ^ (bytes.len() as u64) << 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened(&"ä".repeat(300)), "ä".repeat(256));
        assert_eq!(bounded(&"€".repeat(5000)), "€".repeat(4096));
        assert_eq!(bounded("short"), "short");
        assert!(is_longer("äöü", 2) && !is_longer("äöü", 3));
    }

    #[test]
    fn the_last_value_of_a_key_stays_in_its_place() {
        let mut attributes = vec![KeyValue::new("a", 1), KeyValue::new("b", 2), KeyValue::new("a", 3)];
        last_of_each(&mut attributes);
        assert_eq!(attributes, [KeyValue::new("b", 2), KeyValue::new("a", 3)]);
    }

    #[test]
    fn keys_that_look_alike_are_kept() {
        let keys = ["a.method", "b.method", "", "x", "y", "method", "client.address", "server.address"];
        let mut attributes: Vec<_> = keys.map(|key| KeyValue::new(key, 1)).to_vec();
        last_of_each(&mut attributes);
        assert_eq!(attributes, keys.map(|key| KeyValue::new(key, 1)));
        let mut many: Vec<_> = (0..100).map(|number| KeyValue::new(format!("key.{}", number % 50), number)).collect();
        last_of_each(&mut many);
        assert_eq!(many.len(), 50);
        assert!(many.iter().zip(50..).all(|(attribute, number)| attribute.value == number.into()));
    }

    #[test]
    fn brackets_go_in_pairs() {
        assert_eq!(["[::1]", "::1", "order", "[order"].map(without_brackets), ["::1", "::1", "order", "[order"]);
    }
}
