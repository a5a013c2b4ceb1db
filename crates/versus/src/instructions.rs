use std::io::{Write, stderr, stdout};
use std::process::{Command, Stdio};

use clap::Parser;

use crate::Error;
use crate::load::Cost;
use crate::processes::{succeeded, with_sink};
use crate::report::{Spread, Table, delivered};
use crate::run::{Candidate, Run, Sampling, Scenario, Transport};
use crate::selection::Selection;
use crate::sink::Received;

/// How many instructions calls cost in user space, the export of their spans included.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// How often each candidate has its turn. Hash seeds differ from run to run, and with them the counts, by about one
    /// part in a hundred.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Calls counted per turn.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Calls made before them.
    #[arg(long, default_value_t = 300)]
    warm_up: u64,
}

/// No scenario makes more spans per call.
const MOST_SPANS: u64 = 6;

/// A candidate's turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Per call.
    instructions: f64,
    received: Received,
    ended: u64,
}

/// The bench `instructions`: prints one table per scenario and sampling, or that there is no valgrind.
///
/// # Errors
/// When the program cannot be run or fails.
pub fn instructions(candidate: &str) -> Result<(), Error> {
    let arguments = Arguments::parse();
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        writeln!(stdout(), "skipped: instructions are counted by valgrind, which is not installed")?;
        return Ok(());
    }
    for (scenario, sampling) in arguments.selection.tables() {
        let turns = arguments.turns(scenario, sampling, candidate)?;
        arguments.table(scenario, sampling, &turns).print(&mut stdout())?;
    }
    Ok(())
}

// === impl Arguments ===

impl Arguments {
    /// Each candidate's turns of one table.
    fn turns(&self, scenario: Scenario, sampling: Sampling, program: &str) -> Result<Vec<Vec<Turn>>, Error> {
        let candidates = self.selection.candidates();
        let mut turns = vec![Vec::new(); candidates.len()];
        for round in 0..self.rounds {
            writeln!(stderr(), "{scenario}, {sampling}: round {} of {}", round + 1, self.rounds)?;
            for position in self.selection.order(round) {
                turns[position].push(self.turn(candidates[position], scenario, sampling, program)?);
            }
        }
        Ok(turns)
    }

    /// Counts twice, without and with the calls: the difference is theirs, whatever the start and the end cost.
    fn turn(&self, candidate: Candidate, scenario: Scenario, sampling: Sampling, program: &str) -> Result<Turn, Error> {
        let with = Run {
            candidate,
            scenario,
            sampling,
            attributes: self.selection.attributes,
            transport: Transport::Memory,
            warm_up: self.warm_up,
            requests: self.requests,
            concurrency: 1,
            // Room for every span: callgrind lets one thread run at a time, not always the exporter's in time.
            queue: usize::try_from((self.warm_up + self.requests) * MOST_SPANS)?,
            spool: None,
            otlp: String::new(),
        };
        let without = Run { requests: 0, ..with.clone() };
        let (before, _, _) = count(program, &without)?;
        let (after, cost, received) = count(program, &with)?;
        let instructions = after.saturating_sub(before) as f64 / self.requests as f64;
        Ok(Turn { instructions, received, ended: cost.ended })
    }

    fn table(&self, scenario: Scenario, sampling: Sampling, turns: &[Vec<Turn>]) -> Table {
        let Self { rounds, requests, .. } = self;
        let title = format!("**{scenario}, {sampling}**: {rounds} rounds of {requests} calls");
        let mut table = Table::new(title, &["", "instructions", "over bare, thousands", "attributes", "delivered"]);
        let bare = &turns[0];
        for (candidate, turns) in self.selection.candidates().into_iter().zip(turns) {
            let ratio = Spread::between(turns, bare, |turn, bare| turn.instructions / bare.instructions);
            let over = Spread::between(turns, bare, |turn, bare| (turn.instructions - bare.instructions) / 1e3);
            let last = turns.last().map(|turn| turn.received).unwrap_or_default();
            table.add(match candidate {
                Candidate::Bare => {
                    let thousands = Spread::of(turns, |turn| turn.instructions / 1e3);
                    [candidate.to_string(), format!("{thousands:.1} k"), String::new(), String::new(), String::new()]
                }
                _ => [
                    candidate.to_string(),
                    format!("{ratio:.3}"),
                    format!("{over:+.1}"),
                    format!("{} / {}", last.client, last.server),
                    delivered(turns.iter().map(|turn| (turn.received, turn.ended))),
                ],
            });
        }
        table
    }
}

/// Runs `program` under callgrind: how many instructions it took from start to end, all threads, and what it says.
fn count(program: &str, run: &Run) -> Result<(u64, Cost, Received), Error> {
    let ((instructions, cost), received) = with_sink(program, run, |task| {
        let valgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null", program];
        let output = Command::new("valgrind").args(valgrind).arg(task.argument()?).output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        succeeded("callgrind", output.status.success()).map_err(|error| format!("{error}: {told}"))?;
        let collected = told.lines().find_map(|line| line.split_once("Collected :"));
        let instructions = collected.and_then(|(_, number)| number.trim().parse().ok());
        let cost: Cost = serde_json::from_slice(&output.stdout)?;
        Ok((instructions.ok_or("callgrind has printed no count")?, cost))
    })?;
    Ok((instructions, cost, received))
}
