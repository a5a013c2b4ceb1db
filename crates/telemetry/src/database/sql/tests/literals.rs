//! Texts with a secret in every form a literal can have: nothing of it is shown, and all around it is.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use super::*;
use crate::database::summary::summary;

/// What no text may show. It has no letter of the marks that quote it, and no name has it.
const SECRET: &str = "4929hunter2";

/// A piece of a statement, and how it is shown.
type Piece = (String, String);

/// A secret among what could be taken for the literal's end.
fn content() -> impl Strategy<Value = String> {
    let noise = || prop::collection::vec(select(NOISE.to_vec()), 0..6).prop_map(|noise| noise.concat());
    (noise(), noise()).prop_map(|(before, after)| format!("{before}{SECRET}{after}"))
}

const NOISE: [&str; 20] = [
    "'", "\"", "`", "[", "]", "\\", "$", "$$", "$a$", "--", "/*", "*/", "\n", "\r", " FROM ", ";", "é", "\u{a0}", "?",
    "E'",
];

/// A literal is shown as `?`.
fn literal(text: String) -> Piece {
    (text, "?".to_owned())
}

/// The forms of literals that both databases have.
fn common() -> Union<BoxedStrategy<Piece>> {
    let plain = content().prop_map(|content| literal(format!("'{}'", content.replace('\\', "/").replace('\'', "''"))));
    let number = select(vec!["4929", "49.29", ".4929", "4929e10", "49.29E-4929", "0x4929f", "4929_4929", "4929."]);
    let number =
        number.prop_map(|number| (number.to_owned(), if number.starts_with('.') { ".?" } else { "?" }.to_owned()));
    let blob = select(vec!["x'4929'", "X'4929aF'"]).prop_map(|blob| literal(blob.to_owned()));
    Union::new([plain.boxed(), number.boxed(), blob.boxed()])
}

/// The forms that SQLite has beside them.
fn of_sqlite() -> Union<BoxedStrategy<Piece>> {
    let with_backslashes = content().prop_map(|content| literal(format!("'{}'", content.replace('\'', "''"))));
    let doubtful = content().prop_map(|content| literal(format!("\"{}\"", content.replace('"', "\"\""))));
    common().or(with_backslashes.boxed()).or(doubtful.boxed())
}

/// The forms that PostgreSQL has beside them.
fn of_postgresql() -> Union<BoxedStrategy<Piece>> {
    let escaped = (content(), select(vec!["E", "e"]))
        .prop_map(|(content, e)| literal(format!("{e}'{}'", content.replace('\\', "\\\\").replace('\'', "\\'"))));
    let doubled =
        content().prop_map(|content| literal(format!("E'{}'", content.replace('\\', "\\\\").replace('\'', "''"))));
    let with_kind = (content(), select(vec!["U&", "u&", "N", "n", "B", "X"]))
        .prop_map(|(content, kind)| literal(format!("{kind}'{}'", content.replace('\\', "/").replace('\'', "''"))));
    let in_dollars = (content(), select(vec!["$$", "$tag$", "$_1$", "$é€$"]))
        .prop_map(|(content, mark)| literal(format!("{mark}{}{mark}", content.replace('$', "S"))));
    let in_tags = content().prop_map(|content| literal(format!("$tag${content} $tag$")));
    let binary = select(vec!["0b1", "0o4929", "4929::int4"]).prop_map(|number| match number.split_once("::") {
        Some((_, kind)) => (number.to_owned(), format!("?::{kind}")),
        None => literal(number.to_owned()),
    });
    let forms =
        [escaped.boxed(), doubled.boxed(), with_kind.boxed(), in_dollars.boxed(), in_tags.boxed(), binary.boxed()];
    forms.into_iter().fold(common(), Union::or)
}

/// What stands around literals, shown as it is, and comments, which are not.
fn around(system: DatabaseSystem) -> impl Strategy<Value = Piece> {
    let both = [
        "a",
        "FROM t",
        "a.b",
        "(",
        ")",
        ",",
        "=",
        "<>",
        "-",
        "||",
        "SELECT",
        "INSERT INTO t",
        "e",
        "é",
        "x1",
        ";",
        "_a",
    ];
    let own: &[&str] = match system {
        Sqlite => &["?", "?1", ":a", "@a", "$a", "$a::b", "[a b]", "`it's`", "->>"],
        Postgresql => &["$1", "$2::text", "a[i]", "\"it's\"", "U&\"it's\"", "a$$b", "@>", "?|", "a`"],
    };
    let shown = select([&both[..], own].concat()).prop_map(|text| (text.to_owned(), text.to_owned()));
    let block = content().prop_map(|content| (format!("/*{}*/", content.replace(['*', '/'], "")), String::new()));
    let line = content().prop_map(|content| (format!("--{}\n", content.replace(['\n', '\r'], "")), "\n".to_owned()));
    let nested =
        content().prop_map(|content| (format!("/*/*{0}*/{0}*/", content.replace(['*', '/'], "")), String::new()));
    let comments = Union::new([block.boxed(), line.boxed()]);
    let comments = if system == Postgresql { comments.or(nested.boxed()) } else { comments };
    Union::new_weighted(vec![(4, shown.boxed()), (1, comments.boxed())])
}

/// A text, and how it is shown.
fn statement(system: DatabaseSystem, literals: Union<BoxedStrategy<Piece>>) -> impl Strategy<Value = Piece> {
    let pieces = prop::collection::vec(Union::new([literals.boxed(), around(system).boxed()]), 0..12);
    pieces.prop_map(|pieces| {
        let (texts, shown): (Vec<_>, Vec<_>) = pieces.into_iter().unzip();
        (texts.join(" "), shown.join(" "))
    })
}

proptest! {
    #[test]
    fn no_literal_of_sqlite_is_shown((text, shown) in statement(Sqlite, of_sqlite())) {
        prop_assert_eq!(without_values(&text, Sqlite), shown);
    }

    #[test]
    fn no_literal_of_postgresql_is_shown((text, shown) in statement(Postgresql, of_postgresql())) {
        prop_assert_eq!(without_values(&text, Postgresql), shown);
        prop_assert!(!summary(&text, Postgresql).contains(SECRET));
    }

    /// A server with `standard_conforming_strings = off` reads other strings than one without.
    #[test]
    fn no_literal_is_shown_whatever_a_backslash_means(
        content in content(), (after, _) in statement(Postgresql, of_postgresql())
    ) {
        let (doubled, escaped) = (content.replace('\'', "''"), content.replace('\\', "\\\\").replace('\'', "\\'"));
        for text in [format!("SELECT '{doubled}' {after}"), format!("SELECT '{escaped}' {after}")] {
            prop_assert!(!without_values(&text, Postgresql).contains(SECRET), "{}", text);
            prop_assert!(!summary(&text, Postgresql).contains(SECRET), "{}", text);
        }
    }

    #[test]
    fn any_text_is_cut_into_tokens_that_join_to_it(text in prop::collection::vec(select(NOISE.to_vec()), 0..12)) {
        let text = text.concat();
        for system in [Sqlite, Postgresql] {
            prop_assert_eq!(tokens(&text, system).map(|token| token.text).collect::<String>(), text.as_str());
        }
    }
}
