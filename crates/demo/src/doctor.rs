//! `demo doctor`: where does my trace stop?
//!
//! ```text
//! probe        a call of each service that changes nothing, and a span of its own for the Collector: all in one trace
//! examination  what each service tells of its telemetry, before and after; whose spans arrive in the view
//! diagnosis    hop by hop: how far the spans came, what is wrong there, what to do
//! ```

use std::process::ExitCode;

use serde::Serialize;

use crate::arguments::DoctorArguments;
use crate::columns::fit;
use crate::outcome::Outcome;
use crate::screen;
use crate::shop::{hint, nothing_answers};
use crate::waterfall::Style;

use self::diagnosis::{Finding, diagnosis};
use self::examination::Seen;

mod service;
mod probe;
mod told;
mod examination;
mod diagnosis;

/// The columns at which the hops and the details begin.
const HOP: usize = 4;
const INDENT: usize = 20;

/// The findings, as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    trace_id: &'a str,
    hops: &'a [Finding],
    /// The first broken hop.
    stops_at: Option<&'a str>,
}

/// Follows a probe to the view, and tells how far it comes. Exits with 1 when a hop is broken.
pub(crate) async fn doctor(arguments: DoctorArguments) -> anyhow::Result<ExitCode> {
    let seen = Seen::of(&arguments).await?;
    let findings = diagnosis(&seen);
    let stops_at = findings.iter().find(|finding| finding.outcome == Outcome::Failed);
    let stops_at = stops_at.map(|finding| finding.hop.as_str());
    if arguments.json {
        let summary = Summary { trace_id: &seen.probe.trace_id, hops: &findings, stops_at };
        screen::print(serde_json::to_string_pretty(&summary)?)?;
    } else {
        tell(&findings, stops_at, &seen)?;
    }
    Ok(if stops_at.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(findings: &[Finding], stops_at: Option<&str>, seen: &Seen) -> anyhow::Result<()> {
    for finding in findings {
        screen::print(finding.render(screen::width(), screen::style()))?;
    }
    let id = &seen.probe.trace_id;
    screen::print(match stops_at {
        Some(hop) => format!("  The trace stops at {hop}."),
        None => format!("  Nothing is missing. This was trace {id}."),
    })?;
    let nobody_is_there = findings.iter().filter(|f| f.detail.contains(&nothing_answers(""))).count() == findings.len();
    if let Some(hint) = findings.first().filter(|_| nobody_is_there).and_then(|finding| hint(&finding.detail)) {
        screen::print(format!("  {hint}"))?;
    }
    Ok(())
}

// === impl Finding ===

impl Finding {
    /// `  ✓ gateway         its span has arrived`, and below it what to do; no line is longer than `width` if its words
    /// are not.
    fn render(&self, width: usize, style: Style) -> String {
        let indent = fit("", INDENT);
        let wrapped = |text: &str, first: &str| {
            let options = textwrap::Options::new(width.saturating_sub(INDENT)).initial_indent(first).break_words(false);
            textwrap::wrap(text, options).join(&format!("\n{indent}"))
        };
        let detail = wrapped(&self.detail, "");
        let advice = self.advice.as_ref().map(|advice| format!("\n{indent}{}", wrapped(advice, "→ ")));
        let hop = fit(&self.hop, INDENT - HOP);
        format!("  {} {hop}{detail}{}", self.outcome.mark(style), advice.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_goes_on_below_where_it_began() {
        let finding = Finding {
            hop: "gateway".to_owned(),
            outcome: Outcome::Failed,
            detail: "nothing answers at http://gateway.shop.example.com:50050".to_owned(),
            advice: Some("start it, or say where it is".to_owned()),
        };
        let expected = "  ✗ gateway         nothing answers at
                    http://gateway.shop.example.com:50050
                    → start it, or say
                    where it is";
        assert_eq!(finding.render(40, Style::Plain), expected);
    }
}
