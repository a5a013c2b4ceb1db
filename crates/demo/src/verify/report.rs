//! The lines of a run: each told as soon as its check is done, the whole as text or as JSON.

use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::{Serialize, Serializer};
use tokio::time::{Instant, interval};

use super::run::{Run, Verdict};
use crate::columns::{fit, width};
use crate::outcome::Outcome;
use crate::screen;
use crate::shop::hint;
use crate::waterfall::Style;

/// How often a terminal is told what is still being checked.
const TICK: Duration = Duration::from_secs(1);

/// The column at which the seconds stand.
const TIMES: usize = 84;

/// A promise and how it is checked.
pub(super) struct Check<'a> {
    name: &'static str,
    /// Whether the outcome has a line.
    told: bool,
    work: LocalBoxFuture<'a, anyhow::Result<Verdict>>,
}

/// All lines so far.
pub(super) struct Report {
    json: bool,
    started: Instant,
    lines: Vec<Line>,
}

/// What became of a check.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    outcome: Outcome,
    detail: String,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    took: Duration,
    #[serde(skip)]
    place: usize,
}

/// The whole, as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    lines: &'a [Line],
    held: usize,
    failed: usize,
    skipped: usize,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    took: Duration,
}

// === impl Check ===

impl<'a> Check<'a> {
    pub(super) fn new(name: &'static str, work: impl Future<Output = anyhow::Result<Verdict>> + 'a) -> Self {
        Self { name, told: true, work: Box::pin(work) }
    }

    /// Something that has to be done beside the checks, and proves nothing itself.
    pub(super) fn silent(name: &'static str, work: impl Future<Output = ()> + 'a) -> Self {
        let work = async {
            work.await;
            Verdict::held("")
        };
        Self { name, told: false, work: Box::pin(work) }
    }
}

// === impl Report ===

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, started: Instant::now(), lines: Vec::new() }
    }

    /// Runs checks at once and tells each outcome when it is there.
    pub(super) async fn run(&mut self, run: &Run, checks: Vec<Check<'_>>) -> anyhow::Result<()> {
        let first = self.lines.len();
        let mut pending: Vec<_> = checks.iter().map(|check| check.name).collect();
        let mut running: FuturesUnordered<_> =
            checks.into_iter().enumerate().map(|(place, check)| check.line(first + place)).collect();
        let mut ticks = interval(TICK);
        loop {
            tokio::select! {
                done = running.next() => match done {
                    None => break,
                    Some((told, line)) => {
                        pending.retain(|name| *name != line.name);
                        if told {
                            self.tell(line)?;
                        }
                    }
                },
                _ = ticks.tick() => self.watch(&pending, &run.note()),
            }
        }
        self.lines.sort_by_key(|line| line.place);
        run.say(String::new());
        Ok(())
    }

    /// Prints the totals. The exit code is 1 when a check failed.
    pub(super) fn finish(self) -> anyhow::Result<ExitCode> {
        let [held, failed, skipped] = [Outcome::Held, Outcome::Failed, Outcome::Skipped]
            .map(|outcome| self.lines.iter().filter(|line| line.outcome == outcome).count());
        let took = self.started.elapsed();
        if self.json {
            let summary = Summary { lines: &self.lines, held, failed, skipped, took };
            screen::print(serde_json::to_string_pretty(&summary)?)?;
        } else {
            let failures = self.lines.iter().filter(|line| line.outcome == Outcome::Failed);
            if let Some(hint) = failures.filter_map(|line| hint(&line.detail)).next() {
                screen::print(format!("  {hint}"))?;
            }
            let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
            screen::print(format!("  {held} of {} held{skipped}, in {:.1} s", held + failed, took.as_secs_f64()))?;
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn tell(&mut self, line: Line) -> anyhow::Result<()> {
        if !self.json {
            screen::overwrite("");
            screen::print(line.render(screen::style()))?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// Says what is being waited for, on a terminal.
    fn watch(&self, pending: &[&str], note: &str) {
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        let text = format!("  … {} s  {}{note}", self.started.elapsed().as_secs(), pending.join(", "));
        screen::overwrite(fit(&text, screen::width().saturating_sub(1)).trim_end());
    }
}

impl Check<'_> {
    async fn line(self, place: usize) -> (bool, Line) {
        let started = Instant::now();
        let (outcome, detail) = match self.work.await {
            Ok(Verdict::Held(what)) => (Outcome::Held, what),
            Ok(Verdict::Skipped(why)) => (Outcome::Skipped, why),
            Err(error) => (Outcome::Failed, format!("{error:#}")),
        };
        (self.told, Line { name: self.name, outcome, detail, took: started.elapsed(), place })
    }
}

// === impl Line ===

impl Line {
    /// `  ✓ name: detail        1.9 s`; further lines of the detail stand below.
    fn render(&self, style: Style) -> String {
        let mut detail = self.detail.trim_end().lines();
        let skipped = if self.outcome == Outcome::Skipped { "skipped: " } else { "" };
        let text = format!("{}: {skipped}{}", self.name, detail.next().unwrap_or_default());
        let took = format!("{:.1} s", self.took.as_secs_f64());
        let text = fit(&text, width(&text).max(TIMES));
        let mut line = format!("  {} {text}{took:>8}", self.outcome.mark(style));
        line.extend(detail.flat_map(|more| ["\n      ", more]));
        line
    }
}

/// Seconds with three digits: more would say nothing.
fn seconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1e3).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(outcome: Outcome, detail: &str) -> Line {
        Line { name: "retry", outcome, detail: detail.to_owned(), took: Duration::from_millis(1_940), place: 0 }
    }

    #[test]
    fn a_line_says_what_holds_and_how_long_that_took() {
        let rendered = line(Outcome::Held, "3 attempts").render(Style::Plain);
        assert_eq!(rendered, format!("  ✓ {:84}   1.9 s", "retry: 3 attempts"));
        let coloured = line(Outcome::Failed, "no attempts").render(Style::Colour);
        assert!(coloured.starts_with("  \u{1b}[31m✗\u{1b}[0m retry: no attempts "), "{coloured:?}");
    }

    #[test]
    fn a_line_too_long_for_its_column_is_not_cut() {
        let rendered = line(Outcome::Skipped, &"long ".repeat(30)).render(Style::Plain);
        assert!(rendered.ends_with("long   1.9 s") && rendered.contains("retry: skipped: long"), "{rendered}");
    }

    #[test]
    fn what_does_not_fit_one_line_stands_below_it() {
        let rendered = line(Outcome::Failed, "differs:\n- a\n+ b\n").render(Style::Plain);
        assert!(rendered.ends_with("1.9 s\n      - a\n      + b"), "{rendered}");
    }

    #[test]
    fn json_names_the_outcome_and_rounds_the_seconds() {
        let json = serde_json::to_value(line(Outcome::Held, "3 attempts")).unwrap();
        let expected = serde_json::json!(
            {"name": "retry", "outcome": "held", "detail": "3 attempts", "seconds": 1.94});
        assert_eq!(json, expected);
    }
}
