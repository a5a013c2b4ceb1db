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
    Some(match first {
        _ if rest.starts_with("--") => (Kind::Comment, after("--", "\n")),
        _ if rest.starts_with("/*") => (Kind::Comment, after("/*", "*/")),
        '\'' => (Kind::Literal, quoted(rest, '\'')),
        '"' | '`' => (Kind::Quoted, quoted(rest, first)),
        '[' => (Kind::Quoted, after("[", "]")),
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
        return (Kind::Literal, 1 + quoted(&rest[1..], '\''));
    }
    let is_value = ["TRUE", "FALSE"].iter().any(|value| word.eq_ignore_ascii_case(value));
    (if is_value { Kind::Literal } else { Kind::Word }, length)
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

    #[test]
    fn any_text_is_cut_into_tokens_that_join_to_it() {
        for text in ["é'ü", "\"", "'", "[", "/*", "--", "?é", "$1::text", "a.b.", "x'", "\u{0}\u{feff}"] {
            assert_eq!(tokens(text).map(|token| token.text).collect::<String>(), text);
        }
    }
}
