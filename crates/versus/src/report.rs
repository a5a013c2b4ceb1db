//! How results are told: spreads, shares, and tables in Markdown.

use std::fmt;
use std::io::{self, Write};

use crate::sink::Received;

/// The least, the middle and the most of some figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    least: f64,
    pub(crate) median: f64,
    most: f64,
}

/// A table whose columns are padded to their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

// === impl Spread ===

impl Spread {
    /// The spread of what `figure` says of each round.
    pub(crate) fn of<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> Self {
        Self::between(rounds, rounds, |round, _| figure(round))
    }

    /// The spread of what `figure` says of each round beside bare tonic's same round.
    pub(crate) fn between<T>(rounds: &[T], bare: &[T], figure: impl Fn(&T, &T) -> f64) -> Self {
        let mut figures: Vec<f64> = rounds.iter().zip(bare).map(|(round, bare)| figure(round, bare)).collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        let last = figures.len().saturating_sub(1);
        // Of an even number the two in the middle.
        let median = (at(last / 2) + at(last.div_ceil(2))) / 2.0;
        Self { least: at(0), median, most: at(last) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let plus = f.sign_plus();
        let number = |number: f64| if plus { format!("{number:+.digits$}") } else { format!("{number:.digits$}") };
        let [least, median, most] = [self.least, self.median, self.most].map(number);
        if self.least == self.most { f.write_str(&median) } else { write!(f, "{median} ({least} to {most})") }
    }
}

// === impl Table ===

impl Table {
    pub(crate) fn new(title: String, columns: &[&str]) -> Self {
        Self { title, rows: vec![columns.iter().map(|column| (*column).to_owned()).collect()] }
    }

    pub(crate) fn add(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        writeln!(out, "{}\n", self.title)?;
        for (number, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(out, "| {cell:width$} ")?;
            }
            writeln!(out, "|")?;
            if number == 0 {
                widths.iter().try_for_each(|width| write!(out, "|{}", "-".repeat(width + 2)))?;
                writeln!(out, "|")?;
            }
        }
        writeln!(out)
    }
}

/// The share of ended spans that the sink has received, of the round that lost most.
pub(crate) fn delivered(rounds: impl Iterator<Item = (Received, u64)>) -> String {
    let shares = rounds.filter(|(_, ended)| *ended > 0).map(|(received, ended)| received.spans as f64 / ended as f64);
    shares.min_by(f64::total_cmp).map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

pub(crate) fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
