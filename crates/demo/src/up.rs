//! `demo up`: the shop, its first order, and then whatever one wants to try with it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::future::join;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::arguments::Setup;
use crate::data::Data;
use crate::order::describe;
use crate::ports::Ports;
use crate::screen;
use crate::shop::{Gateway, NewOrder};
use crate::signals::Signals;
use crate::system::{Plan, System};
use crate::view::View;
use crate::waterfall::render;

mod welcome;

/// How long the first waterfall is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a receiver elsewhere may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Starts the shop, shows its first order, stays until Ctrl-C or SIGTERM, and stops it in order.
pub(crate) async fn up(setup: Setup) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let data = Data::open(setup.data.as_deref())?;
    if setup.fresh {
        data.empty()?;
    }
    let ports = setup.port_base.map_or(Ports::Usual, Ports::From);
    let plan = Plan { ports, data: &data, otlp: setup.otlp.as_deref() };

    let started = Instant::now();
    let mut system = tokio::select! {
        (system, ()) = join(plan.start(), warn_of_silence(plan.otlp)) => system?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let shown = tokio::select! {
        shown = show(&system, &plan, started.elapsed()) => shown,
        () = signals.next() => Ok(()),
    };
    let stayed = match shown {
        Ok(()) => stay(&mut system, &mut signals).await,
        Err(error) => Err(error),
    };
    let well = stop(&mut system, &mut signals).await;
    stayed?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says so when nothing listens where the traces go: no service minds, so nobody else would.
async fn warn_of_silence(otlp: Option<&str>) {
    let Some(otlp) = otlp else { return };
    let Ok(url) = otlp.parse::<http::Uri>() else { return };
    let address = format!("{}:{}", url.host().unwrap_or_default(), url.port_u16().unwrap_or(80));
    if !matches!(timeout(CONNECT_LIMIT, TcpStream::connect(address)).await, Ok(Ok(_))) {
        screen::complain(format!("demo: nothing listens at {otlp}: orders work, their traces are lost until it does"));
    }
}

/// Prints where everything is, the first order with its waterfall, and what to try next.
async fn show(system: &System, plan: &Plan<'_>, took: Duration) -> anyhow::Result<()> {
    screen::print(welcome::addresses(system, plan, took))?;
    let placed = Gateway::new(&system.url(crate::member::Member::Gateway))?.place(NewOrder::example()).await?;
    screen::print(format!("One order was placed for you:\n{}", screen::indented(&describe(&placed))))?;
    if let (Some(view), Some(id)) = (system.view(), &placed.trace_id) {
        match View::new(&view)?.settled(id, None, PATIENCE).await {
            Ok(Some(recorded)) => screen::print(render(&recorded.trace, screen::width(), screen::style()))?,
            Ok(None) => screen::print(format!("its trace has not arrived after {PATIENCE:?}\n"))?,
            Err(error) => screen::print(format!("no waterfall: {error:#}\n"))?,
        }
    }
    screen::print(welcome::next_steps(system, placed.trace_id.as_deref()))
}

/// Waits for the end, and tells of processes that end before it. The others go on: what a shop does without its bank or
/// its collector is worth trying.
async fn stay(system: &mut System, signals: &mut Signals) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = signals.next() => return Ok(()),
            ended = system.a_child_ended() => screen::print(format!("{ended:#}\nthe others go on; Ctrl-C stops them"))?,
        }
    }
}

/// Stops the shop; a second signal ends it at once.
async fn stop(system: &mut System, signals: &mut Signals) -> bool {
    screen::complain("stopping: calls finish, the last spans leave (once more: at once)");
    let stopped = tokio::select! {
        well = system.stop() => Some(well),
        () = signals.next() => None,
    };
    if stopped.is_none() {
        system.kill().await;
    }
    stopped.unwrap_or(false)
}
