//! What a shell makes of a line: as much of its grammar as the project's instructions use.

use std::iter::Peekable;
use std::str::Chars;

use uuid::Uuid;

/// The words of a command line. `$(uuidgen)` is a fresh id each time; nothing else is substituted.
///
/// # Panics
/// At what it does not know: variables, other substitutions, pipes, redirections.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        match letters.peek() {
            None | Some('#') => return words,
            Some(_) => words.push(word(&mut letters)),
        }
    }
}

fn word(letters: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace()) {
        match letter {
            '\'' => word.extend(letters.by_ref().take_while(|letter| *letter != '\'')),
            '"' => quoted(letters, &mut word),
            '\\' => word.extend(letters.next()),
            '$' => word.push_str(&substituted(letters)),
            '|' | '&' | ';' | '<' | '>' | '`' | '*' | '?' => panic!("{letter} means something to a shell"),
            _ => word.push(letter),
        }
    }
    word
}

fn quoted(letters: &mut Peekable<Chars<'_>>, word: &mut String) {
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return,
            '\\' => word.extend(letters.next()),
            '$' => word.push_str(&substituted(letters)),
            _ => word.push(letter),
        }
    }
    panic!("a quotation that does not end: {word}");
}

fn substituted(letters: &mut Peekable<Chars<'_>>) -> String {
    let command: String = letters.by_ref().take_while(|letter| *letter != ')').collect();
    assert_eq!(command, "(uuidgen", "a substitution that is not known");
    Uuid::new_v4().to_string()
}

#[test]
fn quotes_hold_words_together_and_fall_away() {
    assert_eq!(words("a  b# 'c d'  \"e \\\" f\" g\\ h # i"), ["a", "b#", "c d", "e \" f", "g h"]);
    assert_eq!(words("''"), [""]);
}

#[test]
fn every_uuidgen_is_another_id() {
    for line in [r#"'{"a":"'$(uuidgen)'","b":"'$(uuidgen)'"}'"#, r#""{\"a\":\"$(uuidgen)\",\"b\":\"$(uuidgen)\"}""#] {
        let [word] = &words(line)[..] else { panic!("{line}") };
        let json: serde_json::Value = serde_json::from_str(word).unwrap();
        let id = |name: &str| json[name].as_str().unwrap().parse::<Uuid>().unwrap();
        assert_ne!(id("a"), id("b"));
    }
}
