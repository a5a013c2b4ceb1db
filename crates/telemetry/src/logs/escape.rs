//! Values that cannot take over a terminal.

use std::fmt::{self, Display, Formatter, Write};

/// Text with its control characters written as escapes: `\n`, `\u{1b}`.
pub(crate) struct Escaped<T>(pub(crate) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Passes text on, escaped.
struct Escaping<'a, 'f>(&'a mut Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(char::is_control) {
            let (before, control) = rest.split_at(at);
            let c = control.chars().next().ok_or(fmt::Error)?;
            write!(self.0, "{before}{}", c.escape_default())?;
            rest = &control[c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// JSON text with the control characters escaped that JSON itself allows in strings: DEL and 0x80 to 0x9f, of which
/// terminals take 0x9b as the start of a sequence.
pub(super) fn json(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_control() {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_escapes_and_the_rest_stays() {
        assert_eq!(Escaped("a\u{1b}[31mé\n\t\u{9b}0m").to_string(), r"a\u{1b}[31mé\n\t\u{9b}0m");
        assert_eq!(Escaped(r#"C:\dir "q""#).to_string(), r#"C:\dir "q""#);
    }

    #[test]
    fn json_text_stays_json() {
        let value = serde_json::json!({ "k": "\u{1b}\u{9b}\u{7f}é\n" });
        let text = json(value.to_string());
        assert!(!text.contains(char::is_control), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
