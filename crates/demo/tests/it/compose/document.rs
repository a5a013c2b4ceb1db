//! YAML and JSON alike as one tree of values.

use serde_json::Value;

use crate::compose::{Faults, files, read};

/// The one document of a text.
#[track_caller]
pub(super) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The documents of a text, divided by `---`.
#[track_caller]
pub(super) fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The pairs of a mapping, or none.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The items of a sequence, or none.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A string, or an empty one.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The strings of a sequence.
pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).iter().filter_map(Value::as_str)
}

/// Every string at any depth, keys left out.
pub(super) fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(entries) => entries.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// Asserts that a check finds nothing in a sound document, and in one with a fault planted exactly what is told of it,
/// several divided by `; `.
/// A plant is a text that the document has once, what stands there instead, and what is to be found then.
#[track_caller]
pub(super) fn assert_finds(check: impl Fn(&Value) -> Faults, sound: &str, plants: &[(&str, &str, &str)]) {
    assert_eq!(check(&yaml(sound)), [""; 0], "the sound one");
    for (right, wrong, fault) in plants {
        assert_eq!(sound.matches(right).count(), 1, "{right}");
        assert_eq!(check(&yaml(&sound.replace(right, wrong))).join("; "), *fault, "{wrong}");
    }
}

fn unreadable(name: &str, text: &str) -> Faults {
    let mut faults = Faults::new();
    // JSON is YAML: this refuses a key that stands twice, of which a reader of JSON takes the last one silently.
    match serde_saphyr::from_multiple::<Value>(text) {
        Ok(documents) if documents.is_empty() => faults.push("it is empty".to_owned()),
        Ok(_) => {}
        Err(error) => faults.push(error.to_string()),
    }
    if name.ends_with(".json") {
        faults.extend(serde_json::from_str::<Value>(text).err().map(|error| error.to_string()));
    }
    faults
}

#[test]
fn every_document_parses() {
    for name in files("", &[".yaml", ".yml", ".json"]) {
        super::assert_sound(&name, &unreadable(&name, &read(&name)));
    }
}

#[test]
fn what_does_not_parse_is_found() {
    let found = |name, text| unreadable(name, text).concat();
    assert_eq!(found("a.yaml", "a: 1\n---\nb: [1, 2]"), "");
    assert!(found("a.yaml", "").contains("empty"));
    assert!(found("a.yaml", "a: [1").contains("unclosed bracket"));
    assert!(found("a.yaml", "a:\n\tb: 1").contains("tabs disallowed"));
    assert!(found("a.yaml", "a: 1\nb: 2\na: 3").contains("duplicate mapping key: a"));
    assert!(found("a.yaml", "a: *nowhere").contains("nowhere"));
    assert_eq!(found("a.json", r#"{"a": 1}"#), "");
    assert!(found("a.json", r#"{"a": 1, "a": 2}"#).contains("duplicate mapping key: a"));
    assert!(found("a.json", "{a: 1}").contains("key must be a string"));
}

#[test]
fn anchors_and_merge_keys_are_resolved() {
    let document = yaml("x: &x {restart: always, mem_limit: 1m}\nservice: {<<: *x, mem_limit: 2m}");
    assert_eq!(document["service"], serde_json::json!({"restart": "always", "mem_limit": "2m"}));
}
