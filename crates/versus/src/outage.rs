use std::io::{Write, stderr, stdout};

use clap::Parser;

use crate::Error;
use crate::collector::Manners;
use crate::latency::{Latency, Outage};
use crate::processes::{perform, with_receiver};
use crate::report::{Spread, Table};
use crate::run::{Attributes, Candidate, Run, Sampling, Scenario, Transport};
use crate::task::Task;

/// How long calls take whose collector is away, beside the same calls with one that answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Who is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [Candidate::Ours, Candidate::Tutorial], value_enum)]
    candidates: Vec<Candidate>,
    /// What is called.
    #[arg(long, default_value_t = Scenario::Unary, value_enum)]
    scenario: Scenario,
    /// How often each has its turn.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Calls measured per turn.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Calls made before them, in which the exporter finds out.
    #[arg(long, default_value_t = 4_000)]
    warm_up: u64,
    /// Calls under way at once, at most.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    concurrency: u64,
    /// How long each caller rests between its calls, in milliseconds; 0 keeps the machine busy.
    #[arg(long, default_value_t = 1)]
    rest: u64,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A collector, and whether there is a spool.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    manners: Manners,
    has_spool: bool,
}

/// The first is what the others are compared with.
const SETTINGS: [Setting; 7] = [
    Setting { name: "answers at once", manners: Manners::Answers(0), has_spool: false },
    Setting { name: "refuses connections", manners: Manners::Absent, has_spool: false },
    Setting { name: "takes connections and is silent", manners: Manners::Silent, has_spool: false },
    Setting { name: "says UNAVAILABLE", manners: Manners::Unavailable, has_spool: false },
    Setting { name: "answers after a second", manners: Manners::Answers(1000), has_spool: false },
    Setting { name: "refuses connections, with a spool", manners: Manners::Absent, has_spool: true },
    Setting { name: "says UNAVAILABLE, with a spool", manners: Manners::Unavailable, has_spool: true },
];

/// The bench `outage`: prints one table per candidate.
///
/// # Errors
/// When the program cannot be run or fails.
pub fn outage(candidate: &str) -> Result<(), Error> {
    let arguments = Arguments::parse();
    for who in &arguments.candidates {
        arguments.table(*who, &arguments.measured(*who, candidate)?).print(&mut stdout())?;
    }
    Ok(())
}

/// Those that `candidate` knows: only we have a spool.
fn settings(candidate: Candidate) -> impl Iterator<Item = Setting> {
    let has_spool = matches!(candidate, Candidate::Ours | Candidate::OursWhole);
    SETTINGS.into_iter().filter(move |setting| has_spool || !setting.has_spool)
}

// === impl Arguments ===

impl Arguments {
    /// The rounds of each setting. A round's turns follow each other directly.
    fn measured(&self, candidate: Candidate, program: &str) -> Result<Vec<Vec<Latency>>, Error> {
        let settings: Vec<Setting> = settings(candidate).collect();
        let mut measured = vec![Vec::new(); settings.len()];
        for round in 0..self.rounds {
            writeln!(stderr(), "{candidate}: round {} of {}", round + 1, self.rounds)?;
            let first = usize::try_from(round)?;
            for position in (0..settings.len()).map(|position| (first + position) % settings.len()) {
                measured[position].push(self.turn(candidate, settings[position], program)?);
            }
        }
        Ok(measured)
    }

    fn turn(&self, candidate: Candidate, setting: Setting, program: &str) -> Result<Latency, Error> {
        let spool = setting.has_spool.then(tempfile::tempdir).transpose()?;
        let path = spool.as_ref().map(|directory| directory.path().display().to_string());
        let (latency, _) = with_receiver::<_, u64>(program, &Task::Collector(setting.manners), |otlp| {
            let run = Run {
                candidate,
                scenario: self.scenario,
                sampling: Sampling::On,
                attributes: Attributes::Ten,
                transport: Transport::Tcp,
                warm_up: self.warm_up,
                requests: self.requests,
                concurrency: self.concurrency,
                queue: 2_048,
                spool: path,
                otlp: otlp.to_owned(),
            };
            perform(program, &Task::Outage(Outage { run, rest: self.rest }))
        })?;
        Ok(latency)
    }

    fn table(&self, candidate: Candidate, measured: &[Vec<Latency>]) -> Table {
        let Self { scenario, rounds, requests, concurrency, rest, .. } = self;
        let title = format!(
            "**{candidate}, {scenario}**: {concurrency} callers that rest {rest} ms, {rounds} rounds of {requests} calls"
        );
        let mut table = Table::new(title, &["the collector ..", "p50", "p99", "CPU time"]);
        let (healthy, others) = measured.split_first().expect("there is a collector that answers");
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        let per_call = |latency: &Latency| microseconds(latency.cpu) / *requests as f64;
        table.add([
            SETTINGS[0].name.to_owned(),
            format!("{:.0} µs", Spread::of(healthy, |round| microseconds(round.p50))),
            format!("{:.0} µs", Spread::of(healthy, |round| microseconds(round.p99))),
            format!("{:.1} µs", Spread::of(healthy, per_call)),
        ]);
        for (setting, rounds) in settings(candidate).skip(1).zip(others) {
            let ratio = |figure: fn(&Latency) -> u64| {
                Spread::between(rounds, healthy, |round, healthy| figure(round) as f64 / figure(healthy) as f64)
                    .to_string()
            };
            table.add([setting.name.to_owned(), ratio(|it| it.p50), ratio(|it| it.p99), ratio(|it| it.cpu)]);
        }
        table
    }
}
