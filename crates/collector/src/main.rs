//! The collector as a process of its own: settings, three listeners, stop on SIGTERM or Ctrl-C.

#![forbid(unsafe_code)]

use std::io::{self, IsTerminal};
use std::net::SocketAddr;

use anyhow::Context;
use clap::Parser;
use collector::{Config, Listeners};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let shutdown = shutdown()?;

    let listeners = Listeners {
        grpc: listen("OTLP/gRPC", config.grpc).await?,
        http: listen("OTLP/HTTP", config.http).await?,
        query: listen("the query API", config.query).await?,
    };
    collector::serve(listeners, config, shutdown).await.context("the collector failed")
}

async fn listen(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for {what}"))?;
    info!(address = %listener.local_addr()?, "listening for {what}");
    Ok(listener)
}

/// Resolves at the first SIGTERM or Ctrl-C. Both are caught from the call on, not from the first poll.
fn shutdown() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
