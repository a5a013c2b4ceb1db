//! The program that is measured, or receives what another one sends: which of them, its one argument says.

use std::io::{self, Write};

use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

use crate::Error;
use crate::collector::collector;
use crate::flood::flood;
use crate::load::{Calls, Work};
use crate::run::{Candidate, Run, Transport};
use crate::sink::sink;
use crate::task::Task;
use crate::variants::bare::Bare;
use crate::variants::ours::Ours;
use crate::variants::tonic_tracing_opentelemetry::TonicTracingOpentelemetry;
use crate::variants::tower_otel::TowerOtel;
use crate::variants::tutorial::Tutorial;

/// How often this process has asked for memory so far.
pub type AllocationCount = fn() -> u64;

/// What the programs `candidate` and `counted` do.
///
/// # Errors
/// When the argument is no task as JSON, when telemetry cannot be set up, and when a call fails.
pub fn candidate(allocations: Option<AllocationCount>) -> Result<(), Error> {
    let argument = std::env::args().nth(1).ok_or("one argument is needed: a task as JSON, such as `\"sink\"`")?;
    match serde_json::from_str(&argument)? {
        Task::Sink => Builder::new_current_thread().enable_all().build()?.block_on(sink()),
        Task::Collector(manners) => Builder::new_current_thread().enable_all().build()?.block_on(collector(manners)),
        Task::Calls(run) => print(&with_variant(&run, &Calls { run: &run, allocations })?),
        Task::Outage(outage) => print(&with_variant(&outage.run, &outage)?),
        Task::Flood(task) => print(&flood(&task)?),
    }
}

fn print(result: &impl Serialize) -> Result<(), Error> {
    writeln!(io::stdout(), "{}", serde_json::to_string(result)?)?;
    Ok(())
}

/// Sets the run's candidate up, and does `work` with it.
fn with_variant<W: Work>(run: &Run, work: &W) -> Result<W::Result, Error> {
    let runtime = runtime(run.transport)?;
    match run.candidate {
        Candidate::Bare => runtime.block_on(work.with(&Bare::install()?)),
        Candidate::Ours | Candidate::OursWhole => runtime.block_on(work.with(&Ours::install(run)?)),
        Candidate::Tutorial => runtime.block_on(work.with(&Tutorial::install(run)?)),
        Candidate::TonicTracingOpentelemetry => runtime.block_on(work.with(&TonicTracingOpentelemetry::install(run)?)),
        Candidate::TowerOtel => runtime.block_on(work.with(&TowerOtel::install(run)?)),
    }
}

fn runtime(transport: Transport) -> io::Result<Runtime> {
    match transport {
        Transport::Tcp => Builder::new_multi_thread().worker_threads(2).enable_all().build(),
        Transport::Memory => Builder::new_current_thread().enable_all().build(),
    }
}
