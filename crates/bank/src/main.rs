//! The bank's process: configuration, plain logs on stderr, one listener.

#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::Parser;
use healthcheck::Command;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: bank::Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { config, command } = Arguments::parse();
    if let Some(Command::Healthcheck(check)) = command {
        return Ok(check.run(config.listen, "/healthz").await?);
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();

    let terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("failed to listen on {}", config.listen))?;
    // With port 0 this line is the only place where the real port can be read.
    info!(address = %listener.local_addr()?, "the bank is open");

    bank::serve(listener, config, shutdown(terminate, interrupt)).await.context("the bank failed")
}

/// Resolves at the first SIGTERM or Ctrl-C.
async fn shutdown(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
