use std::io::{Write, stderr, stdout};

use clap::Parser;

use crate::Error;
use crate::collector::Manners;
use crate::flood::{Flood, Flooded};
use crate::processes::{perform, with_receiver};
use crate::report::{Spread, Table, mebibytes};
use crate::run::Pipeline;
use crate::search::Search;
use crate::task::Task;

/// How many spans a second reach a collector, and what each costs, from one producer that does nothing else.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [Pipeline::Ours, Pipeline::Stock], value_enum)]
    pipelines: Vec<Pipeline>,
    /// After how many milliseconds the collector answers.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 20])]
    answers: Vec<u64>,
    /// How often each has its turn at one rate. A rate is held if no turn has lost a span.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// How long a turn takes, in seconds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The rates, in spans a second, of the second table.
    #[arg(long, value_delimiter = ',', default_values_t = [20_000, 80_000, 320_000, 1_000_000])]
    rates: Vec<u64>,
    /// `OTEL_BSP_MAX_QUEUE_SIZE` of all. The default is the specification's.
    #[arg(long, default_value_t = 2_048)]
    queue: usize,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` of all. The default is the specification's.
    #[arg(long, default_value_t = 512)]
    batch: usize,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A pipeline before a collector.
#[derive(Clone, Copy)]
struct Setting {
    pipeline: Pipeline,
    /// In milliseconds.
    answers: u64,
}

/// One turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    flooded: Flooded,
    made: u64,
    delivered: u64,
}

/// The bench `pipeline`: prints the highest rate of each pipeline that loses nothing, and what becomes of spans at given rates.
///
/// # Errors
/// When the program cannot be run or fails.
pub fn pipeline(candidate: &str) -> Result<(), Error> {
    let arguments = Arguments::parse();
    arguments.highest(candidate)?.print(&mut stdout())?;
    for answers in &arguments.answers {
        arguments.at_rates(*answers, candidate)?.print(&mut stdout())?;
    }
    Ok(())
}

// === impl Arguments ===

impl Arguments {
    /// The table of the highest rates.
    fn highest(&self, program: &str) -> Result<Table, Error> {
        let settings = |answers: &u64| self.pipelines.iter().map(|pipeline| (*pipeline, *answers)).collect::<Vec<_>>();
        let settings = self.answers.iter().flat_map(settings).map(|(pipeline, answers)| Setting { pipeline, answers });
        let mut searches: Vec<_> = settings.map(|setting| (setting, Search::default(), Vec::new())).collect();
        while searches.iter().any(|(_, search, _)| search.next().is_some()) {
            for (setting, search, best) in &mut searches {
                let Some(rate) = search.next() else { continue };
                let turns = self.turns_without_loss(*setting, rate, program)?;
                search.tell(turns.is_some());
                *best = turns.unwrap_or_else(|| std::mem::take(best));
            }
        }
        let columns = ["", "the collector answers", "spans/s without a loss", "CPU time per span", "peak memory, MiB"];
        let mut table = Table::new(self.title("the highest rate without a loss"), &columns);
        for (setting, search, turns) in searches {
            table.add([
                setting.pipeline.to_string(),
                after(setting.answers),
                search.highest().map_or_else(|| "none".to_owned(), |rate| rate.to_string()),
                format!("{:.2} µs", Spread::of(&turns, Turn::cpu_per_span)),
                format!("{:.1}", Spread::of(&turns, |turn| mebibytes(turn.flooded.peak))),
            ]);
        }
        Ok(table)
    }

    /// All turns at one rate, or `None` as soon as one has lost a span or was not as fast.
    fn turns_without_loss(&self, setting: Setting, rate: u64, program: &str) -> Result<Option<Vec<Turn>>, Error> {
        let mut turns = Vec::new();
        for _ in 0..self.rounds {
            let turn = self.turn(setting, rate, program)?;
            let is_without_loss = turn.flooded.held_rate && turn.delivered == turn.made;
            let verdict = if is_without_loss { "no loss" } else { "too fast" };
            writeln!(stderr(), "{}, {}: {rate} spans/s, {verdict}", setting.pipeline, after(setting.answers))?;
            if !is_without_loss {
                return Ok(None);
            }
            turns.push(turn);
        }
        Ok(Some(turns))
    }

    /// The table of what becomes of spans at the given rates.
    fn at_rates(&self, answers: u64, program: &str) -> Result<Table, Error> {
        let pipelines: Vec<_> = [Pipeline::None].into_iter().chain(self.pipelines.iter().copied()).collect();
        let columns = ["", "spans/s", "delivered", "CPU time per delivered span", "peak memory, MiB"];
        let about = format!("given rates, the collector answers {}", after(answers));
        let mut table = Table::new(self.title(&about), &columns);
        for rate in &self.rates {
            let mut turns = vec![Vec::new(); pipelines.len()];
            for round in 0..self.rounds {
                writeln!(stderr(), "{}, {rate} spans/s: round {} of {}", after(answers), round + 1, self.rounds)?;
                for (pipeline, turns) in pipelines.iter().zip(&mut turns) {
                    turns.push(self.turn(Setting { pipeline: *pipeline, answers }, *rate, program)?);
                }
            }
            for (pipeline, turns) in pipelines.iter().zip(&turns) {
                table.add(row(*pipeline, *rate, turns));
            }
        }
        Ok(table)
    }

    fn turn(&self, setting: Setting, rate: u64, program: &str) -> Result<Turn, Error> {
        let Self { queue, batch, seconds, .. } = *self;
        let (pipeline, made) = (setting.pipeline, rate * seconds);
        let (flooded, delivered) =
            with_receiver(program, &Task::Collector(Manners::Answers(setting.answers)), |otlp| {
                let flood = Flood { pipeline, rate, spans: made, queue, batch, otlp: otlp.to_owned() };
                perform(program, &Task::Flood(flood))
            })?;
        Ok(Turn { flooded, made, delivered })
    }

    fn title(&self, about: &str) -> String {
        let Self { rounds, seconds, queue, batch, .. } = self;
        format!("**{about}**: {rounds} turns of {seconds} s, a queue of {queue} spans, {batch} spans a request")
    }
}

fn row(pipeline: Pipeline, rate: u64, turns: &[Turn]) -> [String; 5] {
    let share = Spread::of(turns, |turn| turn.delivered as f64 / turn.made as f64 * 100.0);
    let rate =
        if turns.iter().all(|turn| turn.flooded.held_rate) { rate.to_string() } else { format!("{rate}, not held") };
    let (delivered, cpu) = match pipeline {
        // Its spans are not meant to arrive: what they cost is what any pipeline begins with.
        Pipeline::None => (String::new(), Spread::of(turns, |turn| turn.flooded.cpu as f64 / 1e3 / turn.made as f64)),
        Pipeline::Ours | Pipeline::Stock => (format!("{share:.1} %"), Spread::of(turns, Turn::cpu_per_span)),
    };
    let peak = Spread::of(turns, |turn| mebibytes(turn.flooded.peak));
    [pipeline.to_string(), rate, delivered, format!("{cpu:.2} µs"), format!("{peak:.1}")]
}

fn after(milliseconds: u64) -> String {
    if milliseconds == 0 { "at once".to_owned() } else { format!("after {milliseconds} ms") }
}

// === impl Turn ===

impl Turn {
    /// CPU time per span that has arrived, in microseconds, the making of all of them included.
    fn cpu_per_span(&self) -> f64 {
        self.flooded.cpu as f64 / 1e3 / self.delivered as f64
    }
}
