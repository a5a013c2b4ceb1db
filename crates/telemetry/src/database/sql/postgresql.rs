//! PostgreSQL's tokens, as its `scan.l` reads them.
//!
//! Where its versions or settings read a text in different ways, the rest of the text counts as a literal.

use super::{Kind, is_letter, is_space, is_word, kind_of, number, quoted, run};

/// The first token of `rest`, which begins with `first`: its kind and length.
pub(super) fn next(rest: &str, first: char) -> (Kind, usize) {
    match first {
        _ if rest.starts_with("--") => (Kind::Comment, run(rest, |c| c != '\n' && c != '\r')),
        _ if rest.starts_with("/*") => (Kind::Comment, comment(rest)),
        '\'' => (Kind::Literal, string(rest)),
        '"' => (Kind::Quoted, quoted(rest, '"')),
        '$' => dollar(rest),
        _ if is_space(first) => (Kind::Space, run(rest, is_space)),
        _ if first.is_ascii_digit() => (Kind::Literal, whole_number(rest)),
        _ if is_word(first) => word(rest),
        _ => (Kind::Symbol, first.len_utf8()),
    }
}

/// The length of a comment, in which there may be others.
fn comment(rest: &str) -> usize {
    let (mut depth, mut length) = (1, 2);
    while depth > 0 {
        let Some(mark) = rest[length..].find(['/', '*']) else { return rest.len() };
        length += mark;
        match rest.as_bytes().get(length..length + 2) {
            Some(b"/*") => (depth, length) = (depth + 1, length + 2),
            Some(b"*/") => (depth, length) = (depth - 1, length + 2),
            _ => length += 1,
        }
    }
    length
}

/// The length of a string without a kind. Whether a backslash takes the next character's meaning is a setting of the
/// server, and so it does in a string that goes on another one of the kind `E` after a line break.
fn string(rest: &str) -> usize {
    let (end, with_escapes) = (quoted(rest, '\''), escaped(rest));
    if end == with_escapes { end } else { rest.len() }
}

/// The length of a string in which a backslash takes the next character's meaning.
fn escaped(rest: &str) -> usize {
    let mut inside = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = inside.next() {
        match c {
            '\\' => drop(inside.next()),
            '\'' if inside.next_if(|(_, next)| *next == '\'').is_none() => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A string in dollar quotes, or a parameter.
fn dollar(rest: &str) -> (Kind, usize) {
    match dollar_quoted(rest) {
        Some(length) => (Kind::Literal, length),
        None => (Kind::Symbol, 1 + run(&rest[1..], |c| c.is_ascii_digit())),
    }
}

/// The length of `$tag$..$tag$`, if `rest` begins with one.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let (tag, text) = rest.strip_prefix('$')?.split_once('$')?;
    let is_tag = tag.is_empty() || (tag.starts_with(is_letter) && tag.chars().all(is_word));
    let delimiter = &rest[..tag.len() + 2];
    is_tag.then(|| text.find(delimiter).map_or(rest.len(), |length| length + 2 * delimiter.len()))
}

/// The length of a number. What a dollar directly behind one begins, a string or a name, depends on the version.
fn whole_number(rest: &str) -> usize {
    let length = number(rest);
    if rest[length..].starts_with('$') { rest.len() } else { length }
}

/// A word, or what has its kind before the quote.
fn word(rest: &str) -> (Kind, usize) {
    let length = run(rest, is_word);
    let (word, after) = rest.split_at(length);
    match word {
        "e" | "E" if after.starts_with('\'') => (Kind::Literal, length + escaped(after)),
        "b" | "B" | "n" | "N" | "x" | "X" if after.starts_with('\'') => (Kind::Literal, length + string(after)),
        "u" | "U" if after.starts_with("&'") => (Kind::Literal, length + 1 + string(&after[1..])),
        "u" | "U" if after.starts_with("&\"") => (Kind::Quoted, length + 1 + quoted(&after[1..], '"')),
        _ => (kind_of(word), length),
    }
}
