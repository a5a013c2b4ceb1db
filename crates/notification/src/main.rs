//! The notification service's process: configuration, telemetry, two listeners.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use healthcheck::Command;
use telemetry::{Environment, Service};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: notification::Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { config, command } = Arguments::parse();
    if let Some(Command::Healthcheck(check)) = command {
        return Ok(check.run(config.admin_listen, "/readyz").await?);
    }
    let service = Service::new("notification", env!("CARGO_PKG_VERSION")).namespace("shop");
    let telemetry = telemetry::init(service, Environment::from_process()).context("failed to start telemetry")?;

    let terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let listeners = server::Listeners { rpc: bind(config.listen).await?, admin: bind(config.admin_listen).await? };
    // With port 0 this line is the only place where the real ports can be read.
    info!(rpc = %listeners.rpc.local_addr()?, admin = %listeners.admin.local_addr()?, "listening");
    let served = notification::serve(listeners, config, telemetry.clone(), shutdown(terminate, interrupt)).await;

    // Flush after a failure too: those spans are the ones worth having.
    let report = telemetry.shutdown(Duration::from_secs(3)).await;
    if let Some(lost) = report.lost() {
        warn!(%lost, "telemetry was lost");
    }
    served.context("the notification service failed")
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("failed to listen on {address}"))
}

/// Resolves at the first SIGTERM or Ctrl-C.
async fn shutdown(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
