//! The variables of the compose files: `${NAME}`, `${NAME:-default}`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compose::document::{strings, yaml};
use crate::compose::{Faults, SYSTEMS, assert_sound, environment, read};

/// A variable where it is used.
#[derive(Debug, PartialEq)]
struct Use<'a> {
    name: &'a str,
    default: Option<&'a str>,
}

/// What the lines of an `.env` file set.
pub(super) fn assignments(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once('=').unwrap_or_else(|| panic!("what does {line} set?")));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// The document with the variables replaced that are known or have a default.
pub(super) fn interpolated(document: Value, known: &BTreeMap<String, String>) -> Value {
    match document {
        Value::String(text) => Value::String(replaced(&text, known)),
        Value::Array(items) => items.into_iter().map(|item| interpolated(item, known)).collect(),
        Value::Object(entries) => entries.into_iter().map(|(name, value)| (name, interpolated(value, known))).collect(),
        other => other,
    }
}

fn replaced(text: &str, known: &BTreeMap<String, String>) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        replaced.push_str(before);
        let (used, after) = split(after);
        let value = used.map(|used| known.get(used.name).map(String::as_str).or(used.default).unwrap_or_default());
        replaced.push_str(value.unwrap_or("$"));
        rest = after;
    }
    replaced + rest
}

/// What stands behind a dollar: a variable and the rest, or another dollar, which stands for one, and the rest.
fn split(text: &str) -> (Option<Use<'_>>, &str) {
    if let Some(rest) = text.strip_prefix('$') {
        return (None, rest);
    }
    let Some((inside, rest)) = text.strip_prefix('{').and_then(|inside| inside.split_once('}')) else {
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        return (Some(Use { name: &text[..end], default: None }), &text[end..]);
    };
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    (Some(Use { name, default }), rest)
}

fn uses(document: &Value) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for text in strings(document) {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('$') {
            let (used, after) = split(after);
            uses.extend(used);
            rest = after;
        }
    }
    uses
}

fn undefined(document: &Value, known: &BTreeMap<String, String>) -> Faults {
    let open = uses(document).into_iter().filter(|used| used.default.is_none() && !known.contains_key(used.name));
    open.map(|used| format!("{} is neither in .env nor has a default", used.name)).collect()
}

/// What `.env` sets and nothing reads. What begins with `COMPOSE_` is for compose itself.
fn unread(documents: &[Value], known: &BTreeMap<String, String>) -> Faults {
    let used: BTreeSet<_> = documents.iter().flat_map(uses).map(|used| used.name).collect();
    let idle = known.keys().filter(|name| !used.contains(name.as_str()) && !name.starts_with("COMPOSE_"));
    idle.map(|name| format!("nothing reads {name}")).collect()
}

#[test]
fn every_variable_has_a_value() {
    for (name, _) in SYSTEMS {
        assert_sound(name, &undefined(&yaml(&read(name)), &environment()));
    }
}

#[test]
fn every_setting_is_read() {
    let systems = SYSTEMS.map(|(name, _)| yaml(&read(name)));
    assert_sound(".env", &unread(&systems, &environment()));
}

#[test]
fn a_variable_without_a_value_and_a_setting_without_a_reader_are_found() {
    let known = assignments("# why\nA=1\nB=\"2\"\n\nCOMPOSE_PROJECT_NAME=shop\n");
    let sound = yaml("{a: '${A} $$C', b: ['$B', 'x${C:-3}y']}");
    assert_eq!(undefined(&sound, &known), [""; 0]);
    assert_eq!(unread(std::slice::from_ref(&sound), &known), [""; 0]);
    assert_eq!(interpolated(sound, &known), serde_json::json!({"a": "1 $C", "b": ["2", "x3y"]}));

    assert_eq!(undefined(&yaml("a: ${C}"), &known), ["C is neither in .env nor has a default"]);
    assert_eq!(undefined(&yaml("a: b$C"), &known), ["C is neither in .env nor has a default"]);
    assert_eq!(unread(&[yaml("a: $A")], &known), ["nothing reads B"]);
}
