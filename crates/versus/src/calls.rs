use std::io::{Write, stderr, stdout};

use clap::Parser;

use crate::Error;
use crate::processes::{Outcome, measure};
use crate::report::{Spread, Table, delivered, mebibytes};
use crate::run::{Candidate, Run, Sampling, Scenario, Transport};
use crate::selection::Selection;

/// What calls cost in time, CPU time, allocations and memory, and whether their spans arrive.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// How often each candidate has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Calls measured per turn.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Calls made before them.
    #[arg(long, default_value_t = 2_000)]
    warm_up: u64,
    /// Calls under way at once.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..))]
    concurrency: u64,
    /// Spans that may wait for the exporter. The default is the specification's; a larger queue delivers what a busy
    /// machine would lose, and so shows what it costs.
    #[arg(long, default_value_t = 2_048)]
    queue: usize,
}

/// All of one candidate in one table.
struct Measured {
    candidate: Candidate,
    /// Per call, of a run of the counting program.
    allocations: f64,
    rounds: Vec<Outcome>,
}

/// The bench `calls`: prints one table per scenario and sampling. `candidate` and `counted` are the two programs.
///
/// # Errors
/// When a program cannot be run or fails.
pub fn calls(candidate: &str, counted: &str) -> Result<(), Error> {
    let arguments = Arguments::parse();
    for (scenario, sampling) in arguments.selection.tables() {
        let measured = arguments.measured(scenario, sampling, candidate, counted)?;
        arguments.table(scenario, sampling, &measured).print(&mut stdout())?;
    }
    Ok(())
}

// === impl Arguments ===

impl Arguments {
    /// Measures one table. A round's turns follow each other directly: what slows the machine slows them alike.
    fn measured(
        &self,
        scenario: Scenario,
        sampling: Sampling,
        candidate: &str,
        counted: &str,
    ) -> Result<Vec<Measured>, Error> {
        let runs: Vec<Run> =
            self.selection.candidates().into_iter().map(|candidate| self.run(candidate, scenario, sampling)).collect();
        let mut measured = Vec::new();
        for run in &runs {
            let allocations = measure(candidate, counted, run)?.cost.allocations as f64 / self.requests as f64;
            measured.push(Measured { candidate: run.candidate, allocations, rounds: Vec::new() });
        }
        for round in 0..self.rounds {
            writeln!(stderr(), "{scenario}, {sampling}: round {} of {}", round + 1, self.rounds)?;
            for position in self.selection.order(round) {
                measured[position].rounds.push(measure(candidate, candidate, &runs[position])?);
            }
        }
        Ok(measured)
    }

    fn run(&self, candidate: Candidate, scenario: Scenario, sampling: Sampling) -> Run {
        Run {
            candidate,
            scenario,
            sampling,
            attributes: self.selection.attributes,
            transport: Transport::Tcp,
            warm_up: self.warm_up,
            requests: self.requests,
            concurrency: self.concurrency,
            queue: self.queue,
            spool: None,
            otlp: String::new(),
        }
    }

    fn table(&self, scenario: Scenario, sampling: Sampling, measured: &[Measured]) -> Table {
        let Self { rounds, requests, concurrency, .. } = self;
        let title = format!("**{scenario}, {sampling}**: {concurrency} at once, {rounds} rounds of {requests} calls");
        let columns =
            ["", "time", "CPU time", "allocations", "peak memory, MiB", "spans", "traces", "attributes", "delivered"];
        let mut table = Table::new(title, &columns);
        let bare = &measured[0];
        table.add(self.absolute(bare));
        for other in &measured[1..] {
            table.add(self.beside(other, bare));
        }
        table
    }

    /// Bare tonic's row: what the others' ratios and differences are to.
    fn absolute(&self, bare: &Measured) -> Vec<String> {
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1e3 / self.requests as f64;
        let mut cells = vec![
            bare.candidate.to_string(),
            format!("{:.1} µs", Spread::of(&bare.rounds, |round| microseconds(round.cost.wall))),
            format!("{:.1} µs", Spread::of(&bare.rounds, |round| microseconds(round.cost.cpu))),
            format!("{:.1}", bare.allocations),
            format!("{:.1}", Spread::of(&bare.rounds, |round| mebibytes(round.cost.peak))),
        ];
        cells.extend(["", "", "", ""].map(str::to_owned));
        cells
    }

    fn beside(&self, other: &Measured, bare: &Measured) -> Vec<String> {
        let (rounds, bare_rounds) = (&other.rounds, &bare.rounds);
        let ratio = |cost: fn(&Outcome) -> u64| {
            Spread::between(rounds, bare_rounds, |round, bare| cost(round) as f64 / cost(bare) as f64)
        };
        let peak = |round: &Outcome, bare: &Outcome| mebibytes(round.cost.peak) - mebibytes(bare.cost.peak);
        let per_call = |spans: u64| spans as f64 / (self.warm_up + self.requests) as f64;
        let last = rounds.last().map(|round| round.received).unwrap_or_default();
        vec![
            other.candidate.to_string(),
            ratio(|round| round.cost.wall).to_string(),
            ratio(|round| round.cost.cpu).to_string(),
            format!("{:+.1}", other.allocations - bare.allocations),
            format!("{:+.1}", Spread::between(rounds, bare_rounds, peak)),
            format!("{:.2}", Spread::of(rounds, |round| per_call(round.received.spans)).median),
            format!("{:.2}", Spread::of(rounds, |round| per_call(round.received.roots)).median),
            format!("{} / {}", last.client, last.server),
            delivered(rounds.iter().map(|round| (round.received, round.cost.ended))),
        ]
    }
}
