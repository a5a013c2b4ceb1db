//! `demo once`: the whole chain, checked, in one run.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::arguments::Setup;
use crate::data::Data;
use crate::member::Member;
use crate::order::describe;
use crate::ports::Ports;
use crate::screen;
use crate::shop::{Gateway, NewOrder};
use crate::signals::Signals;
use crate::system::{Plan, System};
use crate::tree::{PAID_ORDER, comparable};
use crate::view::{Recorded, View};

/// How long the trace may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the trace is written to, opened before there is one: what cannot be written is known before anything starts.
struct Out {
    path: PathBuf,
    file: File,
}

/// What a run found.
struct Checked {
    /// Whether the trace is as expected and every process stopped well.
    well: bool,
    /// Whether the trace could be written to where it was asked for.
    written: anyhow::Result<()>,
}

/// Starts the shop, places one order, compares its trace with [`PAID_ORDER`], writes it to `out`, stops the shop.
///
/// # Errors
/// When anything of that fails. A trace that differs is not an error but the exit code 1, after the difference was printed.
pub(crate) async fn once(setup: Setup, out: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    if setup.otlp.is_some() {
        bail!("`once` reads the trace from the demo's own collector; leave out --otlp");
    }
    let out = out.map(Out::create).transpose()?;
    let mut signals = Signals::listen()?;
    let data = setup.data.as_deref().map_or_else(Data::temporary, |data| Data::open(Some(data)))?;
    if setup.fresh {
        data.empty()?;
    }
    let checked = tokio::select! {
        checked = run(&setup, &data, out) => checked,
        () = signals.next() => bail!("interrupted"),
    };
    if let Ok(Checked { well: true, written }) = checked {
        return written.map(|()| ExitCode::SUCCESS);
    }
    screen::complain(format!("demo: databases and logs are kept in {}", data.keep().display()));
    checked?.written.map(|()| ExitCode::FAILURE)
}

/// One order from start to stop: writes its trace, and prints how it compares whatever became of the writing.
async fn run(setup: &Setup, data: &Data, out: Option<Out>) -> anyhow::Result<Checked> {
    let started = Instant::now();
    let plan = Plan { ports: setup.port_base.map_or(Ports::Free, Ports::From), data, otlp: None };
    let mut system = plan.start().await?;
    let recorded = order(&system).await;
    let stopped = system.stop().await;
    let recorded = recorded?;

    let written = out.map_or(Ok(()), |out| out.write(&recorded));
    let found = comparable(&recorded.trace);
    let difference = found.difference(PAID_ORDER);
    match &difference {
        Some(difference) => screen::print(format!("the trace differs (- expected, + found):\n{difference}"))?,
        None => screen::print(format!(
            "{}\n{} spans as expected, in {:.1} s",
            found.render(&[]),
            recorded.trace.spans.len(),
            started.elapsed().as_secs_f64()
        ))?,
    }
    Ok(Checked { well: stopped && difference.is_none(), written })
}

/// Places an order and returns its trace.
async fn order(system: &System) -> anyhow::Result<Recorded> {
    let placed = Gateway::new(&system.url(Member::Gateway))?.place(NewOrder::example()).await?;
    screen::print(describe(&placed))?;
    if !placed.succeeded() {
        bail!("the order failed");
    }
    let id = placed.trace_id.as_deref().context("the gateway's answer names no trace")?;
    let view = system.view().context("the system has no collector")?;
    let recorded = View::new(&view)?.settled(id, None, PATIENCE).await?;
    recorded.with_context(|| format!("the collector has not received trace {id} after {PATIENCE:?}"))
}

// === impl Out ===

impl Out {
    fn create(path: PathBuf) -> anyhow::Result<Self> {
        let file = File::create(&path).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(Self { path, file })
    }

    fn write(mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(&recorded.document)? + "\n";
        self.file.write_all(json.as_bytes()).with_context(|| format!("failed to write {}", self.path.display()))
    }
}
