//! The tokens of SQL text, and the text without its values.
//!
//! Tokens are all that is needed here. A parser would know more and fail on each dialect's own grammar. But each database
//! has its own rules of where a literal ends: read by those of the other, what follows it could be taken for names, and
//! be shown.

mod postgresql;
mod sqlite;

use super::DatabaseSystem;

/// A piece of SQL text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Space,
    Comment,
    Word,
    /// An identifier in quotes.
    Quoted,
    /// An identifier in quotes that may turn out to be a string.
    Doubtful,
    Literal,
    Symbol,
}

/// The text with each literal replaced by `?` and each comment left out.
pub(super) fn without_values(text: &str, system: DatabaseSystem) -> String {
    tokens(text, system)
        .map(|token| match token.kind {
            Kind::Literal | Kind::Doubtful => "?",
            Kind::Comment => "",
            Kind::Space | Kind::Word | Kind::Quoted | Kind::Symbol => token.text,
        })
        .collect()
}

/// Cuts `text` into tokens; joined, they are the text again.
pub(super) fn tokens(text: &str, system: DatabaseSystem) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (kind, length) = match system {
            DatabaseSystem::Sqlite => sqlite::next(rest, first),
            DatabaseSystem::Postgresql => postgresql::next(rest, first),
        };
        let (text, after) = rest.split_at(length);
        rest = after;
        Some(Token { kind, text })
    })
}

// === impl Token ===

impl Token<'_> {
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn is_one_of(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted | Kind::Doubtful)
    }
}

/// The kind of a word without quotes.
fn kind_of(word: &str) -> Kind {
    let is_value = ["TRUE", "FALSE"].iter().any(|value| word.eq_ignore_ascii_case(value));
    if is_value { Kind::Literal } else { Kind::Word }
}

/// White space is ASCII to both databases; whatever else is not ASCII may be part of a word.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn is_letter(c: char) -> bool {
    is_word(c) && c != '$' && !c.is_ascii_digit()
}

/// How much of the beginning of `rest` consists of such characters.
fn run(rest: &str, is_part: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !is_part(c)).unwrap_or(rest.len())
}

/// The length of the number that `rest` begins with, and of the letters that no number has and no database takes.
fn number(rest: &str) -> usize {
    let part = |rest: &str| run(rest, |c| (is_word(c) && c != '$') || c == '.');
    let length = part(rest);
    let is_hexadecimal = rest.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    let has_exponent = !is_hexadecimal && rest[..length].ends_with(['e', 'E']);
    match rest[length..].strip_prefix(['+', '-']) {
        Some(after) if has_exponent && after.starts_with(|c: char| c.is_ascii_digit()) => length + 1 + part(after),
        _ => length,
    }
}

/// The length of the quotation that `rest` begins with; a doubled quote does not end it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut inside = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = inside.next() {
        if c == quote && inside.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests;
