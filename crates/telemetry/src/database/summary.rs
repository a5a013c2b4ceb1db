//! What a statement does, in few words: a name that groups like statements.

use super::DatabaseSystem;
use super::sql::{Kind, Token, tokens};

/// The longest summary the conventions allow.
const LONGEST: usize = 255;

/// Names the operations and their targets in the order of the text: `INSERT orders`, `SELECT orders order_lines`.
///
/// Words keep their case. What does not fit 255 bytes is left out from the first word that does not. Text without a word
/// has an empty summary.
pub(super) fn summary(text: &str, system: DatabaseSystem) -> String {
    let tokens: Vec<_> =
        tokens(text, system).filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment)).collect();
    let mut summary = Summary::default();
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        let taken = summary.read(*token, after, text);
        rest = &after[taken..];
    }
    summary.text
}

/// A summary while its statement is read.
#[derive(Default)]
struct Summary<'a> {
    text: String,
    full: bool,
    previous: Option<&'a str>,
    /// The next name is a target.
    wants_target: bool,
    /// A comma leads to another target.
    in_list: bool,
    /// The statement creates, changes or drops what it names.
    defines: bool,
    /// What FROM leads to is a target, and not a part of a function's argument or of a command's.
    reads: bool,
    /// The same outside each parenthesis that is open.
    read_outside: Vec<bool>,
}

// === impl Summary ===

impl<'a> Summary<'a> {
    /// Reads one token and says how many of those after it belong to it.
    fn read(&mut self, token: Token<'a>, after: &[Token<'a>], text: &'a str) -> usize {
        let previous = self.previous.replace(token.text);
        match token.kind {
            Kind::Word if self.wants_target && token.is_one_of(&BEFORE_TARGET) => 0,
            _ if self.wants_target && token.is_name() => {
                self.wants_target = false;
                let (name, taken) = qualified(token, after, text);
                self.push(name);
                taken
            }
            Kind::Word => {
                self.read_keyword(token, previous, after);
                0
            }
            Kind::Symbol => {
                self.wants_target = token.text == "," && self.in_list;
                self.in_list &= token.text != "(";
                self.read_symbol(token.text);
                0
            }
            Kind::Quoted | Kind::Doubtful | Kind::Literal | Kind::Space | Kind::Comment => {
                self.wants_target = false;
                0
            }
        }
    }

    fn read_symbol(&mut self, symbol: &str) {
        match symbol {
            "(" => self.read_outside.push(std::mem::take(&mut self.reads)),
            ";" => (self.reads, self.read_outside) = Default::default(),
            ")" => self.reads = self.read_outside.pop().unwrap_or_default(),
            _ => {}
        }
    }

    fn read_keyword(&mut self, word: Token<'a>, previous: Option<&str>, after: &[Token<'a>]) {
        let starts_text = matches!(previous, None | Some(";"));
        let starts = starts_text || matches!(previous, Some("(" | ")"));
        let is_call = after.first().is_some_and(|next| next.text == "(");
        self.in_list &= !word.is_one_of(&AFTER_TARGETS);

        if word.is("SELECT") || (starts && !is_call && word.is_one_of(&CHANGES)) {
            self.wants_target = word.is("UPDATE");
            self.reads = true;
            self.in_list = false;
            self.push(word.text);
        } else if starts_text && !word.is("WITH") {
            self.defines = word.is_one_of(&["CREATE", "ALTER", "DROP", "REFRESH"]);
            self.wants_target = word.is_one_of(&["CALL", "COPY", "LOCK", "TRUNCATE"]);
            self.in_list = word.is_one_of(&["LOCK", "TRUNCATE"]);
            self.push(word.text);
        } else if self.defines && word.is_one_of(&DEFINED) {
            self.defines = false;
            self.wants_target = true;
            self.push(word.text);
        } else if word.is("FROM") && self.reads {
            // `a IS DISTINCT FROM b` compares.
            self.wants_target = !previous.is_some_and(|word| word.eq_ignore_ascii_case("DISTINCT"));
            self.in_list = self.wants_target;
        } else if word.is_one_of(&["JOIN", "INTO"]) {
            self.wants_target = true;
        }
    }

    fn push(&mut self, word: &str) {
        let space = usize::from(!self.text.is_empty());
        self.full |= self.text.len() + space + word.len() > LONGEST;
        if !self.full {
            self.text.push_str(&" "[..space]);
            self.text.push_str(word);
        }
    }
}

/// Operations that may stand inside a statement too: in a common table expression, or after one.
const CHANGES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "REPLACE"];

/// What there is to create, change or drop.
const DEFINED: [&str; 9] = ["TABLE", "INDEX", "VIEW", "TRIGGER", "SCHEMA", "SEQUENCE", "TYPE", "FUNCTION", "PROCEDURE"];

/// Words that may stand between an operation and its target.
const BEFORE_TARGET: [&str; 14] = [
    "OR",
    "ROLLBACK",
    "ABORT",
    "REPLACE",
    "FAIL",
    "IGNORE",
    "IF",
    "NOT",
    "EXISTS",
    "ONLY",
    "LATERAL",
    "TABLE",
    "CONCURRENTLY",
    "ON",
];

/// Words that end a list of targets.
const AFTER_TARGETS: [&str; 10] =
    ["WHERE", "SET", "USING", "GROUP", "ORDER", "LIMIT", "VALUES", "RETURNING", "WINDOW", "FOR"];

/// The name that `first` begins, with the parts that dots add, and how many tokens those are.
fn qualified<'a>(first: Token<'a>, after: &[Token<'a>], text: &'a str) -> (&'a str, usize) {
    let mut name = first.text;
    let mut taken = 0;
    while let [dot, part, ..] = &after[taken..]
        && dot.text == "."
        && part.is_name()
    {
        name = between(text, name, part.text);
        taken += 2;
    }
    (name, taken)
}

/// The slice of `text` from the start of `first` to the end of `last`, both slices of it.
fn between<'a>(text: &'a str, first: &'a str, last: &'a str) -> &'a str {
    let start = first.as_ptr().addr() - text.as_ptr().addr();
    let end = last.as_ptr().addr() - text.as_ptr().addr() + last.len();
    &text[start..end]
}

#[cfg(test)]
mod tests;
