//! The running shop: all its processes, each told where the ones below it listen.

use std::net::SocketAddr;
use std::path::Path;
use std::{env, time::Duration};

use anyhow::Context;
use futures_util::future::{join_all, select_all};
use tokio::time::{Instant, timeout_at};

use crate::child::{Child, Start};
use crate::data::Data;
use crate::member::Member;
use crate::ports::Ports;
use crate::screen;

/// How long a service gathers spans and logs before it sends them: the SDK's 5 s would make everyone think it is broken.
const EXPORT_DELAY: Duration = Duration::from_millis(200);

/// How often a service sends its metrics.
const METRIC_INTERVAL: Duration = Duration::from_secs(1);

/// How long the calls of all services may take to end, one service after the other.
const DRAIN_LIMIT: Duration = Duration::from_secs(15);

/// How long all services may take then: the last flush of 3 s, side by side, and some air.
const FLUSH_LIMIT: Duration = Duration::from_secs(4);

/// How long the collector may take. It keeps nothing, so all it needs is its own 3 s for requests, and some air.
const COLLECTOR_LIMIT: Duration = Duration::from_secs(4);

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
        let hidden = hidden(env::vars_os().filter_map(|(name, _)| name.into_string().ok()), self.otlp.is_none());
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
        let database = || ["--database-url".to_owned(), sqlite(&self.data.database(member))];
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
                ("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL.as_millis().to_string()),
            ],
        }
    }
}

/// Which of the shell's variables no child sees: the members' own, such as `ORDER_PAYMENT`, because the demo chooses for
/// them; and beside the demo's own collector `OTEL_*` too, which is meant for one elsewhere and would send the spans past
/// it. What holds for every service, such as `RUST_LOG` or `DRAIN`, reaches them.
fn hidden(names: impl Iterator<Item = String>, own_collector: bool) -> Vec<String> {
    let members = Member::ALL.map(|member| format!("{}_", member.name().to_uppercase()));
    let of_member = |name: &str| members.iter().any(|prefix| name.starts_with(prefix));
    names.filter(|name| of_member(name) || own_collector && name.starts_with("OTEL_")).collect()
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

    /// Stops every process: the calls of each service end before those it calls stop, then the last spans leave, and the
    /// collector that receives them is the last one. Returns whether all of them stopped well; what did not is told on
    /// stderr.
    pub(crate) async fn stop(&mut self) -> bool {
        let (collector, mut services): (Vec<_>, Vec<_>) =
            self.children.iter_mut().partition(|child| child.member == Member::Collector);
        let drained = Instant::now() + DRAIN_LIMIT;
        for service in services.iter_mut().rev() {
            // What it does not do in time is told when it is stopped.
            let _ = timeout_at(drained, service.drain()).await;
        }
        let services = stop(services, FLUSH_LIMIT).await;
        stop(collector, COLLECTOR_LIMIT).await && services
    }

    /// Ends every process at once.
    pub(crate) async fn kill(&mut self) {
        for child in &mut self.children {
            child.kill().await;
        }
    }
}

/// Stops `children` side by side. Returns whether all of them stopped well.
async fn stop(children: Vec<&mut Child>, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let stopped = join_all(children.into_iter().map(|child| child.stop(deadline))).await;
    let failures: Vec<_> = stopped.into_iter().filter_map(Result::err).collect();
    for failure in &failures {
        screen::complain(format!("demo: {failure:#}"));
    }
    failures.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_see_the_general_variables_and_no_members_own() {
        let names = ["GATEWAY_LISTEN", "BANK_SLOW", "COLLECTOR_GRPC", "OTEL_SERVICE_NAME", "DRAIN", "DEMO_ORDER"];
        let hidden = |own_collector| hidden(names.map(str::to_owned).into_iter(), own_collector);
        assert_eq!(hidden(true), ["GATEWAY_LISTEN", "BANK_SLOW", "COLLECTOR_GRPC", "OTEL_SERVICE_NAME"]);
        assert_eq!(hidden(false), ["GATEWAY_LISTEN", "BANK_SLOW", "COLLECTOR_GRPC"]);
    }

    #[test]
    fn a_database_path_survives_as_a_url() {
        assert_eq!(sqlite(Path::new("/tmp/a b/50%?.db")), "sqlite:///tmp/a b/50%25%3F.db");
    }
}
