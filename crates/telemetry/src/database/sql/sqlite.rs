//! SQLite's tokens, as its `tokenize.c` reads them.

use super::{Kind, is_letter, is_space, is_word, kind_of, number, quoted, run};

/// The first token of `rest`, which begins with `first`: its kind and length.
pub(super) fn next(rest: &str, first: char) -> (Kind, usize) {
    match first {
        _ if rest.starts_with("--") => (Kind::Comment, run(rest, |c| c != '\n')),
        _ if rest.starts_with("/*") => (Kind::Comment, rest[2..].find("*/").map_or(rest.len(), |length| length + 4)),
        '\'' => (Kind::Literal, quoted(rest, '\'')),
        // What is no column's name is a string.
        '"' => (Kind::Doubtful, quoted(rest, '"')),
        '`' => (Kind::Quoted, quoted(rest, '`')),
        '[' => bracket(rest),
        '?' => (Kind::Symbol, 1 + run(&rest[1..], |c| c.is_ascii_digit())),
        ':' | '@' | '#' | '$' => placeholder(rest),
        _ if is_space(first) => (Kind::Space, run(rest, is_space)),
        _ if first.is_ascii_digit() => (Kind::Literal, number(rest)),
        _ if is_word(first) => word(rest),
        _ => (Kind::Symbol, first.len_utf8()),
    }
}

/// A name in brackets. What looks like none is shown to nobody: elsewhere it would be the elements of an array.
fn bracket(rest: &str) -> (Kind, usize) {
    let is_name = |inside: &str| inside.starts_with(is_letter) && inside.chars().all(|c| is_word(c) || c == ' ');
    match rest[1..].split_once(']') {
        Some((inside, _)) if is_name(inside) => (Kind::Quoted, inside.len() + 2),
        Some((inside, _)) => (Kind::Literal, inside.len() + 2),
        None => (Kind::Literal, rest.len()),
    }
}

/// A placeholder with its name; of Tcl's kind, which has something in parentheses behind it, as a whole.
fn placeholder(rest: &str) -> (Kind, usize) {
    let mut length = 1 + run(&rest[1..], is_word);
    while rest[length..].starts_with("::") {
        length += 2 + run(&rest[length + 2..], is_word);
    }
    if length == 1 || !rest[length..].starts_with('(') {
        return (Kind::Symbol, length);
    }
    let end = rest[length..].find(|c| c == ')' || is_space(c)).map(|inside| length + inside);
    (Kind::Literal, end.filter(|end| rest[*end..].starts_with(')')).map_or(rest.len(), |end| end + 1))
}

fn word(rest: &str) -> (Kind, usize) {
    let length = run(rest, is_word);
    let word = &rest[..length];
    // A blob has its kind before the quote.
    if word.eq_ignore_ascii_case("x") && rest[length..].starts_with('\'') {
        return (Kind::Literal, length + quoted(&rest[length..], '\''));
    }
    (kind_of(word), length)
}
