//! The screen of a walk: a title, numbered steps, and text below them.

use std::mem;

use crate::columns::{fit, width};
use crate::screen;

/// How far text stands below the step it belongs to.
const INDENT: &str = "   ";

/// A walk as it is printed: each step when it is reached, so that a wait is seen where it happens.
#[derive(Debug)]
pub(super) struct Walk {
    steps: u32,
}

// === impl Walk ===

impl Walk {
    /// Begins with its title.
    pub(super) fn begin(title: &str) -> anyhow::Result<Self> {
        screen::print(title)?;
        Ok(Self { steps: 0 })
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, heading: &str) -> anyhow::Result<()> {
        self.steps += 1;
        screen::print(format!("\n{}. {heading}", self.steps))
    }

    /// Says something within the step.
    pub(super) fn say(&self, text: impl AsRef<str>) -> anyhow::Result<()> {
        let lines =
            text.as_ref().lines().map(|line| if line.is_empty() { String::new() } else { format!("{INDENT}{line}") });
        screen::print(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Says whether something is as it was told; returns it.
    pub(super) fn check(&self, holds: bool, text: &str) -> anyhow::Result<bool> {
        self.say(format!("{} {text}", if holds { "✓" } else { "✗" }))?;
        Ok(holds)
    }
}

/// Rows in columns, each as wide as its widest cell.
pub(super) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let cells = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or_default();
    let widths: [usize; COLUMNS] = std::array::from_fn(cells);
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| fit(cell, width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// `text` in lines of at most `cells`, parted between words where there is a place for it.
pub(super) fn wrapped(text: &str, cells: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_inclusive(' ') {
        if !line.is_empty() && width(&line) + width(word.trim_end()) > cells {
            lines.push(mem::take(&mut line));
        }
        for letter in word.chars() {
            if letter != ' ' && width(&line) >= cells {
                lines.push(mem::take(&mut line));
            }
            line.push(letter);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["kind", "placed"], ["お茶", "1"], ["healthy", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "kind     placed\nお茶     1\nhealthy\n");
    }

    #[test]
    fn text_is_parted_between_words_and_a_long_word_anywhere() {
        assert_eq!(wrapped("paid with 4111 1111", 10), ["paid with ", "4111 1111"]);
        assert_eq!(wrapped("a 0123456789", 5), ["a ", "01234", "56789"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
