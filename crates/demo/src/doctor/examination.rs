//! What is to be seen of a running system: the probe goes through it, and is looked for where it should arrive.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::probe::{Answered, Probe, SERVICE};
use super::service::Service;
use super::told::Told;
use crate::arguments::DoctorArguments;
use crate::backend::Backend;
use crate::backends::Backends;
use crate::screen;
use crate::trace::{Kind, Span};

/// How often it is looked whether more has arrived.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long a service may be failing before it is believed: one whose collector has just come back needs a moment.
const BELIEVED_AFTER: Duration = Duration::from_secs(2);

/// How full the Collector's queues are, one for each backend.
const QUEUES: &str = "max by (exporter) (otelcol_exporter_queue_size) > 0";

/// All that was seen.
pub(super) struct Seen {
    pub(super) probe: Probe,
    pub(super) services: Vec<SeenService>,
    /// Whether the gateway's call of the order service is one trace on both sides; `None` if one of them is missing.
    pub(super) is_one_trace: Option<bool>,
    /// What became of the doctor's own span; `None` without a Collector to send it to.
    pub(super) own: Option<Own>,
    pub(super) view: SeenView,
    /// The Collector's queues that are not empty, with what waits there.
    pub(super) queues: Vec<(String, f64)>,
    pub(super) waited: Duration,
}

/// What was seen of one service.
pub(super) struct SeenService {
    pub(super) service: Service,
    /// Its answer to the probe, or why there is none.
    pub(super) called: Result<Answered, String>,
    /// What it told before the probe.
    pub(super) before: Option<Told>,
    /// What it told last, or why it did not.
    pub(super) told: Result<Told, String>,
    /// Whether the view has the span of the call.
    pub(super) has_arrived: bool,
    admin: Backend,
}

/// The doctor's own span.
pub(super) struct Own {
    /// Where it was sent to.
    pub(super) collector: String,
    /// Whether it was taken, or why not.
    pub(super) sent: Result<(), String>,
    pub(super) has_arrived: bool,
}

/// Where the spans should arrive.
pub(super) struct SeenView {
    pub(super) address: String,
    /// Why it does not answer, if it does not.
    pub(super) failure: Option<String>,
}

// === impl Seen ===

impl Seen {
    /// Sends the probe, and looks until all of it has arrived, or what has not is known not to come, or time is up.
    pub(super) async fn of(arguments: &DoctorArguments) -> anyhow::Result<Self> {
        let backends = Backends::new(&arguments.backends)?;
        let started = Instant::now();
        let mut seen = Self::begin(arguments, &backends).await?;
        loop {
            seen.look(&backends).await;
            seen.waited = started.elapsed();
            let missing: Vec<_> = seen.missing().collect();
            if missing.is_empty() || seen.waited >= arguments.wait {
                break;
            }
            screen::overwrite(&format!("  … {} s  spans of {}", seen.waited.as_secs(), missing.join(", ")));
            sleep(INTERVAL).await;
        }
        screen::overwrite("");
        if let Some(prometheus) = &backends.prometheus {
            // A Prometheus that does not answer loses no span.
            let samples = prometheus.query(QUEUES).await.unwrap_or_default().into_iter();
            let by_exporter = samples.filter_map(|mut sample| Some((sample.labels.remove("exporter")?, sample.value)));
            seen.queues = by_exporter.collect();
        }
        Ok(seen)
    }

    async fn begin(arguments: &DoctorArguments, backends: &Backends) -> anyhow::Result<Self> {
        let probe = Probe::new();
        let mut services = Vec::new();
        for service in Service::ALL {
            let admin = Backend::new(&service.admin(arguments)?)?;
            services.push(SeenService::of(service, service.address(arguments), admin, &probe).await);
        }
        let own = match &backends.collector {
            None => None,
            Some(collector) => {
                let sent = collector.post("/v1/traces", &probe.span()).await.map_err(|error| format!("{error:#}"));
                Some(Own { collector: collector.base().to_owned(), sent, has_arrived: false })
            }
        };
        let view = SeenView { address: arguments.backends.services.view.view.clone(), failure: None };
        Ok(Self { probe, services, is_one_trace: None, own, view, queues: Vec::new(), waited: Duration::ZERO })
    }

    /// Looks at the view and asks every service once more.
    async fn look(&mut self, backends: &Backends) {
        let found = backends.view.trace(&self.probe.trace_id).await;
        self.view.failure = found.as_ref().err().map(|error| format!("{error:#}"));
        let mut spans = found.ok().flatten().map(|recorded| recorded.trace.spans).unwrap_or_default();
        if let Some(elsewhere) = self.elsewhere() {
            let found = backends.view.trace(elsewhere).await.ok().flatten();
            spans.extend(found.map(|recorded| recorded.trace).unwrap_or_default().spans);
        }
        for seen in &mut self.services {
            seen.has_arrived = span_of(&spans, seen.service, &self.probe).is_some();
        }
        if let Some(own) = &mut self.own {
            own.has_arrived = spans.iter().any(|span| span.service == SERVICE);
        }
        self.is_one_trace = is_one_trace(&spans);
        join_all(self.services.iter_mut().map(SeenService::ask)).await;
    }

    /// The trace that the gateway has begun instead, if it does not believe its callers.
    fn elsewhere(&self) -> Option<&str> {
        let mut answers = self.services.iter().filter_map(|seen| seen.called.as_ref().ok());
        answers.find(|answered| answered.trace_id != self.probe.trace_id).map(|answered| answered.trace_id.as_str())
    }

    /// Whose spans may still arrive.
    fn missing(&self) -> impl Iterator<Item = &str> {
        let is_late = self.waited >= BELIEVED_AFTER;
        let has_view = self.view.failure.is_none();
        let services = self.services.iter().filter(move |seen| seen.may_arrive(has_view, is_late));
        let own = self.own.iter().filter(move |own| has_view && own.sent.is_ok() && !own.has_arrived).map(|_| SERVICE);
        services.map(|seen| seen.service.name()).chain(own)
    }
}

// === impl SeenService ===

impl SeenService {
    async fn of(service: Service, address: &str, admin: Backend, probe: &Probe) -> Self {
        let before = Told::ask(&admin).await;
        let called = probe.call(service, address).await;
        let told = before.as_ref().map(Told::clone).map_err(|error| format!("{error:#}"));
        Self { service, called, before: before.ok(), told, has_arrived: false, admin }
    }

    async fn ask(&mut self) {
        self.told = Told::ask(&self.admin).await.map_err(|error| format!("{error:#}"));
    }

    fn may_arrive(&self, has_view: bool, is_late: bool) -> bool {
        let is_sampled = self.called.as_ref().is_ok_and(|answered| answered.is_sampled);
        if self.has_arrived || !is_sampled {
            return false;
        }
        match &self.told {
            Err(_) => has_view,
            Ok(told) if told.spans().exporter != "otlp" => false,
            Ok(told) if told.spans().is_failing() => !is_late,
            Ok(_) => has_view || !self.is_taken(),
        }
    }

    /// Whether spans of the service have left it since the probe.
    pub(super) fn is_taken(&self) -> bool {
        let exported = |told: &Told| told.spans().exported;
        let before = self.before.as_ref().map(exported).unwrap_or_default();
        self.told.as_ref().is_ok_and(|told| exported(told) > before)
    }
}

/// The span of the probe's call of the service, or, where that begins a trace of its own, of the call that begins it.
fn span_of<'a>(spans: &'a [Span], service: Service, probe: &Probe) -> Option<&'a Span> {
    let is_called = |span: &&Span| span.parent.as_ref().is_none_or(|parent| *parent == probe.span_id);
    let mut served = spans.iter().filter(|span| span.service == service.name() && span.kind == Kind::Server);
    served.find(is_called)
}

/// Whether a call of the gateway's has its other side in the order service.
fn is_one_trace(spans: &[Span]) -> Option<bool> {
    let of = |service: Service, kind| spans.iter().filter(move |s| s.service == service.name() && s.kind == kind);
    let call = of(Service::Gateway, Kind::Client).next()?;
    of(Service::Order, Kind::Server).next()?;
    Some(of(Service::Order, Kind::Server).any(|served| served.parent.as_deref() == Some(&call.id)))
}
