//! The demo: starts the shop, places orders and shows each one's trace as a waterfall in the terminal.
//!
//! ```text
//! demo [up]          children ── collector, bank, payment, order, gateway: `demo serve NAME`, each stopped by its stdin
//!                    shop ────── one order at the gateway; its answer names the trace
//!                    view ────── the trace, asked of the collector until it has settled
//!                    waterfall ─ drawn; then Ctrl-C, and the children stop in order
//! demo once          the same, and the trace's tree compared line by line with [`PAID_ORDER`]
//! demo order | trace | services        against a shop that runs; the view may be a Jaeger
//! demo load | verify | doctor | explain   the same, and the backends that stand behind a Collector
//! ```
#![forbid(unsafe_code)]

mod arguments;

mod up;
mod once;
mod order;
mod services;
mod load;
mod verify;
mod doctor;
mod explain;

mod system;
mod member;
mod ports;
mod data;
mod child;
mod serve;
mod signals;

mod shop;
mod connection;
mod backends;
mod backend;
mod view;
mod patience;
mod prometheus;
mod counting;
mod tempo;
mod loki;
mod probe;
mod secrets;
mod otlp;
mod json;
mod trace;
mod tree;
mod waterfall;
mod columns;
mod outcome;
mod screen;

use std::process::ExitCode;

use anyhow::bail;
use serde_json::to_string_pretty;
use telemetry::Environment;

use crate::arguments::{Arguments, Command};
use crate::view::View;
use crate::waterfall::render;

pub use crate::tree::PAID_ORDER;

/// What `demo healthcheck` asks unless told otherwise: the page of the demo's own collector.
const HEALTH: ([u8; 4], u16) = ([127, 0, 0, 1], 8787);

/// Does what the command line asks for. What fails is told on stderr and is the exit code 1.
pub async fn run(environment: Environment) -> ExitCode {
    match command(Arguments::read(), environment).await {
        Ok(code) => code,
        Err(error) if error.is::<screen::Closed>() => ExitCode::SUCCESS,
        Err(error) => {
            let told = format!("{error:#}");
            let hint = shop::hint(&told).map(|hint| format!(": {hint}")).unwrap_or_default();
            screen::complain(format!("demo: {told}{hint}"));
            ExitCode::FAILURE
        }
    }
}

async fn command(arguments: Arguments, environment: Environment) -> anyhow::Result<ExitCode> {
    let command = arguments.command.unwrap_or(Command::Up);
    if command.answers_by_its_exit_code() {
        screen::outlive_reader();
    }
    match command {
        Command::Up => up::up(arguments.setup).await,
        Command::Once { out } => once::once(arguments.setup, out).await,
        Command::Order(order) => order::order(order).await,
        Command::Trace { id, json, view } => trace(&id, json, &view.view).await,
        Command::Services(services) => services::services(services).await,
        Command::Load(load) => load::load(load).await,
        Command::Verify(verify) => verify::verify(verify).await,
        Command::Doctor(doctor) => doctor::doctor(doctor).await,
        Command::Explain(explain) => explain::explain(explain).await,
        Command::Healthcheck(healthcheck) => {
            healthcheck.run(HEALTH.into(), "/").await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(member) => serve::serve(member, environment).await.map(|()| ExitCode::SUCCESS),
    }
}

/// `demo trace`: one trace, once it has stopped growing.
async fn trace(id: &str, json: bool, view: &str) -> anyhow::Result<ExitCode> {
    let asked = View::new(view)?;
    let mut found = asked.grown(id).await?;
    if found.is_none() {
        screen::complain(format!(
            "demo: {view} does not have this trace yet; a Collector that samples keeps it for some seconds"
        ));
        found = asked.arrived(id).await?;
    }
    let Some(recorded) = found else { bail!("{view} has no trace {id}") };
    if json {
        screen::print(to_string_pretty(&recorded.document)?)?;
    } else {
        screen::print(render(&recorded.trace, screen::width(), screen::style()).trim_end())?;
    }
    if !recorded.settled {
        screen::complain("demo: more of this trace is arriving; ask again for the rest");
    }
    Ok(ExitCode::SUCCESS)
}
