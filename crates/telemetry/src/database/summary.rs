//! What a statement does, in few words: a name that groups like statements.

use super::sql::{Kind, Token, tokens};

/// The longest summary the conventions allow.
const LONGEST: usize = 255;

/// Names the operations and their targets in the order of the text: `INSERT orders`, `SELECT orders order_lines`.
///
/// Words keep their case. What does not fit 255 bytes is left out from the first word that does not. Text without a word
/// has an empty summary.
pub(super) fn summary(text: &str) -> String {
    let tokens: Vec<_> = tokens(text).filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment)).collect();
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
}

// === impl Summary ===

impl<'a> Summary<'a> {
    /// Reads one token and says how many of those after it belong to it.
    fn read(&mut self, token: Token<'a>, after: &[Token<'a>], text: &'a str) -> usize {
        let previous = self.previous.replace(token.text);
        match token.kind {
            Kind::Word if self.wants_target && token.is_one_of(&BEFORE_TARGET) => 0,
            Kind::Word | Kind::Quoted if self.wants_target => {
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
                0
            }
            Kind::Quoted | Kind::Literal | Kind::Space | Kind::Comment => {
                self.wants_target = false;
                0
            }
        }
    }

    fn read_keyword(&mut self, word: Token<'a>, previous: Option<&str>, after: &[Token<'a>]) {
        let starts_text = matches!(previous, None | Some(";"));
        let starts = starts_text || matches!(previous, Some("(" | ")"));
        let is_call = after.first().is_some_and(|next| next.text == "(");
        self.in_list &= !word.is_one_of(&AFTER_TARGETS);

        if word.is("SELECT") || (starts && !is_call && word.is_one_of(&CHANGES)) {
            self.wants_target = word.is("UPDATE");
            self.push(word.text);
        } else if starts_text && !word.is("WITH") {
            self.defines = word.is_one_of(&["CREATE", "ALTER", "DROP"]);
            self.push(word.text);
        } else if self.defines && word.is_one_of(&["TABLE", "INDEX", "VIEW", "TRIGGER"]) {
            self.defines = false;
            self.wants_target = true;
            self.push(word.text);
        } else if word.is("FROM") {
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

/// Words that may stand between an operation and its target.
const BEFORE_TARGET: [&str; 11] =
    ["OR", "ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE", "IF", "NOT", "EXISTS", "ONLY", "LATERAL"];

/// Words that end a list of targets.
const AFTER_TARGETS: [&str; 9] = ["WHERE", "SET", "USING", "GROUP", "ORDER", "LIMIT", "VALUES", "RETURNING", "WINDOW"];

/// The name that `first` begins, with the parts that dots add, and how many tokens those are.
fn qualified<'a>(first: Token<'a>, after: &[Token<'a>], text: &'a str) -> (&'a str, usize) {
    let mut name = first.text;
    let mut taken = 0;
    while let [dot, part, ..] = &after[taken..]
        && dot.text == "."
        && matches!(part.kind, Kind::Word | Kind::Quoted)
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(summary(text), expected, "{text}");
    }

    #[test]
    fn a_summary_names_operations_and_targets_in_order() {
        check("SELECT * FROM wuser_table WHERE username = ?", "SELECT wuser_table");
        check("INSERT INTO orders (id, state) VALUES (?, 'new') RETURNING id", "INSERT orders");
        check("UPDATE orders SET state = ? WHERE id = ?", "UPDATE orders");
        check("DELETE FROM orders WHERE id = ?", "DELETE orders");
        check("select o.id from orders o join order_lines l on l.order_id = o.id", "select orders order_lines");
        check("SELECT * FROM songs, artists WHERE songs.artist_id == artists.id", "SELECT songs artists");
        check("INSERT INTO a (x, y) SELECT x, y FROM orders WHERE id = ?", "INSERT a SELECT orders");
        check(
            "SELECT d FROM (SELECT * FROM orders o JOIN customers c ON o.c = c.id)",
            "SELECT SELECT orders customers",
        );
        check("WITH old AS (SELECT id FROM orders) DELETE FROM lines", "SELECT orders DELETE lines");
        check("SELECT 1", "SELECT");
    }

    #[test]
    fn a_summary_knows_the_words_that_only_look_like_operations() {
        check("INSERT INTO t (a) VALUES (?) ON CONFLICT (a) DO UPDATE SET a = excluded.a", "INSERT t");
        check("INSERT OR REPLACE INTO t (a) VALUES (replace(?, 'x', 'y'))", "INSERT t");
        check("UPDATE OR IGNORE t SET a = 1", "UPDATE t");
        check("SELECT a FROM t WHERE a IS NOT DISTINCT FROM b", "SELECT t");
        check("SELECT a FROM t ORDER BY x, y", "SELECT t");
        check("SELECT a FROM t, LATERAL (SELECT b FROM u) JOIN 'v' ON 1", "SELECT t SELECT u");
        check("SELECT count(a, b) FROM t WHERE a IN (?, ?)", "SELECT t");
    }

    #[test]
    fn a_summary_names_commands_without_a_table() {
        check("BEGIN IMMEDIATE", "BEGIN");
        check("COMMIT", "COMMIT");
        check("PRAGMA journal_mode = WAL", "PRAGMA");
        check("CREATE TABLE IF NOT EXISTS orders (id TEXT)", "CREATE TABLE orders");
        check("CREATE UNIQUE INDEX by_key ON orders (key)", "CREATE INDEX by_key");
        check("DELETE FROM a; DELETE FROM b", "DELETE a DELETE b");
        check("", "");
        check("-- nothing", "");
    }

    #[test]
    fn a_summary_keeps_quotes_and_schemas_and_skips_comments() {
        check(
            "/* FROM x */ SELECT * FROM \"song list\" -- FROM y\n, main.artists",
            "SELECT \"song list\" main.artists",
        );
        check("SELECT 'it''s FROM x' FROM [a b].`c`", "SELECT [a b].`c`");
    }

    #[test]
    fn a_summary_is_cut_between_words() {
        let text = format!("SELECT * FROM {}, {}, b", "a".repeat(200), "c".repeat(60));
        check(&text, &format!("SELECT {}", "a".repeat(200)));
    }

    #[test]
    fn odd_text_has_a_summary_too() {
        for text in ["FROM", "SELECT FROM", "a.b.", "INTO ,", "\"", "FROM a.", "é FROM ü"] {
            assert!(summary(text).len() <= text.len(), "{text}");
        }
    }
}
