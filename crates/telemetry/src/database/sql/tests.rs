use super::*;

mod literals;

use DatabaseSystem::{Postgresql, Sqlite};

#[track_caller]
fn check(system: DatabaseSystem, text: &str, expected: &str) {
    assert_eq!(without_values(text, system), expected, "{text}");
}

#[track_caller]
fn check_both(text: &str, expected: &str) {
    check(Sqlite, text, expected);
    check(Postgresql, text, expected);
}

#[test]
fn literals_and_comments_leave_the_text() {
    let text = "SELECT a1 FROM t WHERE e = 'a''b@c' AND n > -1.5e3 AND x = x'00ff' AND y IS true /* me */ LIMIT 5";
    check_both(text, "SELECT a1 FROM t WHERE e = ? AND n > -? AND x = ? AND y IS ?  LIMIT ?");
    check_both("SELECT a -- me\nFROM t", "SELECT a \nFROM t");
    check_both("SELECT 'open, -- \"x", "SELECT ?");
}

#[test]
fn numbers_leave_the_text_as_a_whole() {
    check_both("1 1.5 .5 1. 1e5 1E-5 1.5e+10 0x1F 0xe-5 1_000.5 123abc", "? ? .? ? ? ? ? ? ?-? ? ?");
    check(Postgresql, "0b101 0o17 a[1:2] x ?1 @5", "? ? a[?:?] x ?? @?");
}

#[test]
fn placeholders_stay() {
    check(Sqlite, "?, ?1, :a, @b, $c, $d::e, :a(me)", "?, ?1, :a, @b, $c, $d::e, ?");
    check(Postgresql, "$1, $2::text, $10+1", "$1, $2::text, $10+?");
}

#[test]
fn the_literals_of_postgresql_leave_the_text() {
    check(Postgresql, "SELECT $$it's$$, $a$ $$ me $b$ $a$, $ü€$me$ü€$, a$$b", "SELECT ?, ?, ?, a$$b");
    check(Postgresql, "SELECT $a$ open", "SELECT ?");
    check(Postgresql, r"SELECT E'a\'me', e'b\\', E'c''d', x", "SELECT ?, ?, ?, x");
    check(
        Postgresql,
        "SELECT U&'me' UESCAPE '!', N'me', B'01', INTERVAL '1 day'",
        "SELECT ? UESCAPE ?, ?, ?, INTERVAL ?",
    );
    check(Postgresql, "SELECT ARRAY['a]b', 'me'], a[1], b[i]", "SELECT ARRAY[?, ?], a[?], b[i]");
}

#[test]
fn comments_of_postgresql_nest() {
    check(Postgresql, "a /* /* 'me' */ me */ b /*/ me */ c /*/*/*/ me", "a  b  c ");
    check(Postgresql, "a /* /**/ me **/ b --it's\r c", "a  b \r c");
    check(Sqlite, "a /* /* me */ b --it's\r c", "a  b ");
}

#[test]
fn what_postgresql_may_read_in_two_ways_is_left_out() {
    // With standard_conforming_strings off, `\'` is a quote in the string.
    check(Postgresql, r"SELECT 'a\', me', x", "SELECT ?");
    check(Postgresql, r"SELECT 'a\b', 'c\\', x", "SELECT ?, ?, x");
    // The second goes on as the first began.
    check(Postgresql, "SELECT E'a'\n'b\\', me', x", "SELECT ?\n?");
    check(Postgresql, "SELECT 0x1f$$ me ' $$, 'me'", "SELECT ?");
    check(Sqlite, r"SELECT 'a\', 'me', e'b\', x", "SELECT ?, ?, e?, x");
}

#[test]
fn names_in_quotes_stay_unless_they_may_be_strings() {
    check(Sqlite, "SELECT [a b] FROM `c` WHERE d = \"me\"", "SELECT [a b] FROM `c` WHERE d = ?");
    check(Sqlite, "SELECT [it's me], [1, 'me']", "SELECT ?, ?");
    check(
        Postgresql,
        "SELECT \"a'\"\"b\", U&\"c'\" FROM \"d\" WHERE e = 'me'",
        "SELECT \"a'\"\"b\", U&\"c'\" FROM \"d\" WHERE e = ?",
    );
}
