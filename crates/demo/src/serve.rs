//! The child's side: one process of the demo, until its parent goes away or SIGTERM comes.

use std::net::SocketAddr;
use std::time::Duration;
use std::{io, iter, thread};

use anyhow::{Context, anyhow};
use clap::Parser;
use serde::{Deserialize, Serialize};
use telemetry::{Environment, Service, Telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::warn;
use tracing_subscriber::EnvFilter;

use crate::arguments::ServeArguments;
use crate::member::Member;
use crate::{ports, screen};

/// How long the last spans may take to leave.
const FLUSH: Duration = Duration::from_secs(3);

/// What a child says on stdout, as a line of JSON, once it holds its ports and before it serves.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Listening {
    /// Where it listens, in the order of the ports it was given.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// What a traced child says on stdout once its calls have ended, before its last spans leave: those it calls may stop now.
pub(crate) const DRAINED: &str = "drained";

/// Runs one process of the demo.
pub(crate) async fn serve(arguments: ServeArguments, environment: Environment) -> anyhow::Result<()> {
    let stop = stop()?;
    let member = arguments.member;
    let mut settings = iter::once(member.name().to_owned()).chain(arguments.settings);
    let ports = &arguments.ports;
    match member {
        Member::Collector => {
            plain_logs();
            let [grpc, http, query] = listen(ports).await?;
            let config = collector::Config::parse_from(&mut settings);
            collector::serve(collector::Listeners { grpc, http, query }, config, stop)
                .await
                .context("the collector failed")
        }
        Member::Bank => {
            plain_logs();
            let [listener] = listen(ports).await?;
            bank::serve(listener, bank::Config::parse_from(&mut settings), stop).await.context("the bank failed")
        }
        Member::Payment => {
            let (listeners, config) = (service(ports).await?, payment::Config::parse_from(&mut settings));
            traced(member, environment, |telemetry| payment::serve(listeners, config, telemetry, stop)).await
        }
        Member::Order => {
            let (listeners, config) = (service(ports).await?, order::Config::parse_from(&mut settings));
            traced(member, environment, |telemetry| order::serve(listeners, config, telemetry, stop)).await
        }
        Member::Gateway => {
            let (listeners, config) = (service(ports).await?, gateway::Config::parse_from(&mut settings));
            traced(member, environment, |telemetry| gateway::serve(listeners, config, telemetry, stop)).await
        }
    }
}

/// Serves with telemetry, and lets its last spans out afterwards.
async fn traced<F, E>(
    member: Member,
    environment: Environment,
    serve: impl FnOnce(Telemetry) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let service = Service::new(member.name(), env!("CARGO_PKG_VERSION")).namespace("shop");
    let telemetry = telemetry::init(service, environment).context("failed to set up telemetry")?;
    let served = serve(telemetry.clone()).await;
    // Without a parent there is nobody to tell.
    let _ = screen::print(DRAINED);
    let report = telemetry.shutdown(FLUSH).await;
    if let Some(lost) = report.lost() {
        warn!(%lost, "telemetry was lost");
    }
    served.with_context(|| format!("{member} failed"))
}

/// What stands outside of the traces logs as its own program does.
fn plain_logs() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
}

async fn service(ports: &[u16]) -> anyhow::Result<server::Listeners> {
    let [rpc, admin] = listen(ports).await?;
    Ok(server::Listeners { rpc, admin })
}

/// Listens on each port and tells the parent where.
async fn listen<const N: usize>(ports: &[u16]) -> anyhow::Result<[TcpListener; N]> {
    let mut listeners = Vec::with_capacity(N);
    for port in ports {
        listeners.push(ports::bind(*port).await.with_context(|| format!("failed to listen on port {port}"))?);
    }
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    screen::print(serde_json::to_string(&Listening { addresses })?)?;
    listeners.try_into().map_err(|_| anyhow!("expected {N} times --port"))
}

/// What makes a child stop: SIGTERM, or the end of its stdin, which comes however the parent ends.
///
/// Ctrl-C reaches the whole process group at once. The children ignore it, because only the parent knows the order in
/// which they can stop without losing calls and spans.
fn stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let interrupt = signal(SignalKind::interrupt()).context("failed to ignore SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let orphaned = end_of_stdin();
    Ok(async move {
        // Held, never read.
        let _interrupt: Signal = interrupt;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = orphaned => {}
        }
    })
}

/// Resolves at the end of stdin. On a thread of its own: a read through the runtime would keep the runtime from ending.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        // An error ends stdin as well as its end does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    end
}
