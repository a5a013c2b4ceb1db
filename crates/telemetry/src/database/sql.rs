//! The tokens of SQL text, and the text without its values.
//!
//! Tokens are all that is needed here. A parser would know more and fail on each dialect's own grammar.

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
    Literal,
    Symbol,
}

/// The text with each literal replaced by `?` and each comment left out.
pub(super) fn without_values(text: &str) -> String {
    tokens(text)
        .map(|token| match token.kind {
            Kind::Literal => "?",
            Kind::Comment => "",
            // SQLite takes what is no column's name for a string.
            Kind::Quoted if token.text.starts_with('"') => "?",
            Kind::Space | Kind::Word | Kind::Quoted | Kind::Symbol => token.text,
        })
        .collect()
}

// === impl Token ===

impl Token<'_> {
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn is_one_of(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }
}

/// Cuts `text` into tokens; joined, they are the text again.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (kind, length) = next(rest)?;
        let (text, after) = rest.split_at(length);
        rest = after;
        Some(Token { kind, text })
    })
}

fn next(rest: &str) -> Option<(Kind, usize)> {
    let first = rest.chars().next()?;
    let while_ = |test: fn(char) -> bool| rest.find(|c| !test(c)).unwrap_or(rest.len());
    let after = |start: &str, end: &str| {
        rest[start.len()..].find(end).map_or(rest.len(), |length| start.len() + length + end.len())
    };
    if let Some(length) = dollar_quote(rest) {
        return Some((Kind::Literal, length));
    }
    Some(match first {
        _ if rest.starts_with("--") => (Kind::Comment, after("--", "\n")),
        _ if rest.starts_with("/*") => (Kind::Comment, after("/*", "*/")),
        '\'' => (Kind::Literal, quoted(rest, '\'')),
        '"' | '`' => (Kind::Quoted, quoted(rest, first)),
        '[' => bracket(rest),
        _ if first.is_whitespace() => (Kind::Space, while_(char::is_whitespace)),
        _ if first.is_ascii_digit() => (Kind::Literal, while_(|c| is_word(c) || c == '.')),
        // A placeholder and its name or number.
        '?' | ':' | '@' | '$' => (Kind::Symbol, 1 + rest[1..].find(|c| !is_word(c)).unwrap_or(rest.len() - 1)),
        _ if is_word(first) => word(rest, while_(is_word)),
        _ => (Kind::Symbol, first.len_utf8()),
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn word(rest: &str, length: usize) -> (Kind, usize) {
    let word = &rest[..length];
    // x'00', b'01' and e'..' are literals with their kind before the quote.
    if length == 1 && rest[1..].starts_with('\'') {
        let quoted = if word.eq_ignore_ascii_case("e") { escaped(&rest[1..]) } else { quoted(&rest[1..], '\'') };
        return (Kind::Literal, 1 + quoted);
    }
    let is_value = ["TRUE", "FALSE"].iter().any(|value| word.eq_ignore_ascii_case(value));
    (if is_value { Kind::Literal } else { Kind::Word }, length)
}

/// SQLite's identifier in brackets, or PostgreSQL's bracket before an index or the elements of an array.
fn bracket(rest: &str) -> (Kind, usize) {
    let is_name = |inside: &str| inside.starts_with(is_letter) && inside.chars().all(|c| is_word(c) || c == ' ');
    match rest[1..].split_once(']') {
        Some((inside, _)) if is_name(inside) => (Kind::Quoted, inside.len() + 2),
        _ => (Kind::Symbol, 1),
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// The length of PostgreSQL's `$tag$..$tag$`, if `rest` begins with one.
fn dollar_quote(rest: &str) -> Option<usize> {
    let (tag, text) = rest.strip_prefix('$')?.split_once('$')?;
    let is_tag = tag.is_empty() || (tag.starts_with(is_letter) && tag.chars().all(is_word));
    let delimiter = &rest[..tag.len() + 2];
    is_tag.then(|| text.find(delimiter).map_or(rest.len(), |length| length + 2 * delimiter.len()))
}

/// The length of PostgreSQL's `'..'` after an `e`, in which a backslash takes the next character's meaning.
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
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_leave_the_text() {
        let text = "SELECT a1 FROM t WHERE e = 'a''b@c' AND n > -1.5e3 AND x = x'00ff' AND y IS true /* me */ LIMIT ?1";
        let expected = "SELECT a1 FROM t WHERE e = ? AND n > -? AND x = ? AND y IS ?  LIMIT ?1";
        assert_eq!(without_values(text), expected);
        assert_eq!(without_values("SELECT 'open, -- \"x"), "SELECT ?");
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(without_values(text), expected);
    }

    #[test]
    fn the_literals_of_postgresql_leave_the_text() {
        check("SELECT $$it's$$, $a$ $$ me $a$, $1, $2::text", "SELECT ?, ?, $1, $2::text");
        check("SELECT $a$ open", "SELECT ?");
        check(r"SELECT E'a\'me', e'b\\', 'c\', x", r"SELECT ?, ?, ?, x");
        check("SELECT ARRAY['a]b', 'me'], a[1], b[i]", "SELECT ARRAY[?, ?], a[?], b[i]");
        check("SELECT U&'me', N'me', B'01', INTERVAL '1 day'", "SELECT U&?, ?, ?, INTERVAL ?");
    }

    #[test]
    fn names_in_quotes_stay_unless_they_may_be_strings() {
        check("SELECT [a b] FROM `c` WHERE d = \"me\"", "SELECT [a b] FROM `c` WHERE d = ?");
    }

    #[test]
    fn any_text_is_cut_into_tokens_that_join_to_it() {
        for text in [
            "é'ü",
            "\"",
            "'",
            "[",
            "/*",
            "--",
            "?é",
            "$1::text",
            "$",
            "$$",
            "$a$é",
            "e'\\",
            "E'\\'",
            "[é",
            "a.b.",
            "x'",
            "\u{0}\u{feff}",
        ] {
            assert_eq!(tokens(text).map(|token| token.text).collect::<String>(), text);
        }
    }
}
