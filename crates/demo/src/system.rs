//! The running shop: all its processes, each told where the ones below it listen.

use std::net::SocketAddr;
use std::path::Path;
use std::{env, time::Duration};

use anyhow::Context;
use futures_util::future::select_all;

use crate::child::{Child, Start};
use crate::data::Data;
use crate::member::Member;
use crate::ports::Ports;
use crate::screen;

/// How long a service gathers spans and logs before it sends them: the SDK's 5 s would make everyone think it is broken.
const EXPORT_DELAY: Duration = Duration::from_millis(200);

/// The running processes, in the order they were started.
#[derive(Debug)]
pub(crate) struct System {
    children: Vec<Child>,
}

/// What a system is started from.
pub(crate) struct Plan<'a> {
    pub(crate) ports: Ports,
    pub(crate) data: &'a Data,
    /// Where traces go instead of the demo's own collector.
    pub(crate) otlp: Option<&'a str>,
}

// === impl Plan ===

impl Plan<'_> {
    /// Starts every process, each once those it calls are ready.
    pub(crate) async fn start(&self) -> anyhow::Result<System> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build();
        let http = http.context("failed to set up an HTTP client")?;
        let mut system = System { children: Vec::new() };
        let hidden = self.hidden();
        for member in Member::ALL {
            if member == Member::Collector && self.otlp.is_some() {
                continue;
            }
            let start = Start {
                member,
                ports: self.ports.of(member),
                settings: self.settings(member, &system),
                variables: self.variables(member, &system),
                hidden: &hidden,
                log: self.data.log(member.name()).await?,
            };
            let mut child = start.run().await?;
            child.ready(&http, &ready_url(&child)).await?;
            system.children.push(child);
        }
        Ok(system)
    }

    /// The flags of one member.
    fn settings(&self, member: Member, system: &System) -> Vec<String> {
        let database = || ["--database-url".to_owned(), sqlite(&self.data.path().join(format!("{member}.db")))];
        let upstream = |flag: &str, member| [flag.to_owned(), system.url(member)];
        let server = || ["--reflection".to_owned()];
        let trust = ["--trust-trace", "all"].map(str::to_owned);
        match member {
            Member::Collector => Vec::new(),
            Member::Bank => database().to_vec(),
            Member::Payment => [&database()[..], &upstream("--bank", Member::Bank), &server()].concat(),
            Member::Order => [&database()[..], &upstream("--payment", Member::Payment), &server()].concat(),
            Member::Gateway => [&upstream("--order", Member::Order)[..], &trust, &server()].concat(),
        }
    }

    /// OpenTelemetry's settings of one member.
    fn variables(&self, member: Member, system: &System) -> Vec<(&'static str, String)> {
        let endpoint = self.otlp.map_or_else(|| system.url(Member::Collector), str::to_owned);
        let delay = EXPORT_DELAY.as_millis().to_string();
        match member {
            Member::Collector | Member::Bank => Vec::new(),
            Member::Payment | Member::Order | Member::Gateway => vec![
                ("OTEL_SERVICE_NAME", member.name().to_owned()),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("OTEL_BSP_SCHEDULE_DELAY", delay.clone()),
                ("OTEL_BLRP_SCHEDULE_DELAY", delay),
            ],
        }
    }

    /// The shell's own `OTEL_*` settings, which are meant for a collector elsewhere: with the demo's own they would send
    /// the spans past it.
    fn hidden(&self) -> Vec<String> {
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        names.filter(|name| self.otlp.is_none() && name.starts_with("OTEL_")).collect()
    }
}

/// Where a child says whether it is ready: on its last port, which is admin's, or the collector's for queries.
fn ready_url(child: &Child) -> String {
    let path = match child.member {
        Member::Collector => "/api/v3/services",
        Member::Bank => "/healthz",
        Member::Payment | Member::Order | Member::Gateway => "/readyz",
    };
    child.addresses.last().map(|address| format!("http://{address}{path}")).unwrap_or_default()
}

/// The URL of a database file: what would end or encode a path in a URL is written encoded.
fn sqlite(path: &Path) -> String {
    format!("sqlite://{}", path.display().to_string().replace('%', "%25").replace('?', "%3F"))
}

// === impl System ===

impl System {
    /// The running processes, in the order they were started.
    pub(crate) fn children(&self) -> &[Child] {
        &self.children
    }

    /// Where a member listens, in the order of its ports; nowhere when it was not started.
    pub(crate) fn addresses(&self, member: Member) -> &[SocketAddr] {
        self.children.iter().find(|child| child.member == member).map_or(&[], |child| &child.addresses)
    }

    /// A member's first address as a URL: what others call it by.
    pub(crate) fn url(&self, member: Member) -> String {
        self.addresses(member).first().map(|address| format!("http://{address}")).unwrap_or_default()
    }

    /// The collector's query API, if the collector is part of this system.
    pub(crate) fn view(&self) -> Option<String> {
        self.addresses(Member::Collector).last().map(|address| format!("http://{address}"))
    }

    /// Waits until a process ends by itself, and says which and why.
    pub(crate) async fn a_child_ended(&mut self) -> anyhow::Error {
        if self.children.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.children.iter_mut().map(|child| Box::pin(child.ended()))).await.0
    }

    /// Stops every process, callers before those they call, so that nothing in flight is lost and the last spans have
    /// somewhere to go. Returns whether all of them stopped well; what did not is told on stderr.
    pub(crate) async fn stop(&mut self) -> bool {
        let mut well = true;
        for child in self.children.iter_mut().rev() {
            if let Err(error) = child.stop().await {
                screen::complain(format!("demo: {error:#}"));
                well = false;
            }
        }
        well
    }

    /// Ends every process at once.
    pub(crate) async fn kill(&mut self) {
        for child in &mut self.children {
            child.kill().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_path_survives_as_a_url() {
        assert_eq!(sqlite(Path::new("/tmp/a b/50%?.db")), "sqlite:///tmp/a b/50%25%3F.db");
    }
}
