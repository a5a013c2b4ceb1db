//! What follows from what was seen: hop by hop, in the order in which a span comes by.

use serde::Serialize;

use super::examination::{Seen, SeenService};
use super::probe::Answered;
use super::service::Service;
use super::told::{Spans, Told};
use crate::columns::printable;
use crate::outcome::Outcome;

/// How far a clock may be off, in seconds.
const CLOCK: f64 = 1.0;

/// What is said of one hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) hop: String,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

/// All hops, from the gateway to the view.
pub(super) fn diagnosis(seen: &Seen) -> Vec<Finding> {
    let mut findings: Vec<_> = seen.services.iter().map(|service| of_service(seen, service)).collect();
    findings.extend(of_hop(seen));
    findings.extend(of_collector(seen));
    findings.push(of_view(seen));
    findings
}

fn of_service(seen: &Seen, service: &SeenService) -> Finding {
    let name = service.service.name();
    let answered = match &service.called {
        Ok(answered) => answered,
        Err(why) => return broken(name, why).advised(format!("start it, or say where it is with --{name}")),
    };
    if let Some(finding) = not_in_the_trace(seen, service, answered) {
        return finding;
    }
    match &service.told {
        Ok(told) => clock(name, told).unwrap_or_else(|| of_export(seen, service, told)),
        Err(_) if service.has_arrived => well(name, "its span has arrived"),
        Err(why) => broken(name, &format!("its span has not arrived, and it does not tell why: {why}"))
            .advised(format!("say where its admin port is with --{name}-admin")),
    }
}

/// The span of the call is in no trace, or in another one.
fn not_in_the_trace(seen: &Seen, service: &SeenService, answered: &Answered) -> Option<Finding> {
    let name = service.service.name();
    if service.service != Service::Gateway && answered.trace_id != seen.probe.trace_id {
        let what = "it begins a trace of its own, whatever its caller says";
        return Some(broken(name, what).advised("does OTEL_PROPAGATORS hold tracecontext there?"));
    }
    if !answered.is_sampled {
        let settings = service.told.as_ref().ok().map(|told| &told.sampling.settings);
        let sampler = settings.map(|settings| format!(" ({})", settings.sampler)).unwrap_or_default();
        let variables = settings.map(|settings| settings.variables.join(", ")).unwrap_or_default();
        let set = if variables.is_empty() { String::new() } else { format!("; set are {variables}") };
        return Some(
            broken(name, &format!("its sampler{sampler} says no: the span of the call is not recorded"))
                .advised(format!("/telemetry of its admin port tells what decides and how often{set}")),
        );
    }
    None
}

fn clock(name: &str, told: &Told) -> Option<Finding> {
    let (ahead, way) = (told.ahead.abs(), if told.ahead > 0.0 { "ahead of" } else { "behind" });
    let what = format!("its clock is {ahead:.1} s {way} this machine's: its spans stand at the wrong time");
    (ahead >= CLOCK).then(|| broken(name, &what).advised("set the clocks of both by NTP"))
}

/// What becomes of a service's sampled spans.
fn of_export(seen: &Seen, service: &SeenService, told: &Told) -> Finding {
    let (name, spans) = (service.service.name(), told.spans());
    let lost_now = lost_since(service.before.as_ref().map(Told::spans), spans);
    if service.has_arrived && lost_now.is_empty() {
        return with_losses(well(name, &format!("its span has arrived, sent to {}", spans.collector())), spans);
    }
    match spans.exporter.as_str() {
        "none" => {
            let advice = "unset OTEL_TRACES_EXPORTER and OTEL_SDK_DISABLED there";
            return broken(name, "it exports no spans: its exporter is none").advised(advice);
        }
        "console" => {
            let advice = "OTEL_TRACES_EXPORTER=otlp sends them to a collector";
            return broken(name, "its spans go to its own stdout: its exporter is console").advised(advice);
        }
        _ => {}
    }
    if spans.is_failing() {
        return failing(name, spans);
    }
    if let Some((reason, _)) = lost_now.first() {
        return broken(name, &format!("it has lost {} meanwhile", counted(&lost_now))).advised(advice_on(reason));
    }
    if service.is_taken() {
        return with_losses(well(name, &format!("its span was taken by {}", spans.collector())), spans);
    }
    let waited = seen.waited.as_secs_f64();
    broken(name, &format!("its span has not left it in {waited:.0} s: {} wait in memory", spans.queued))
        .advised("wait longer with --wait, or let it send sooner with OTEL_BSP_SCHEDULE_DELAY")
}

fn failing(name: &str, spans: &Spans) -> Finding {
    let since = spans.since.as_ref().map(|since| format!(" since {}", printable(since))).unwrap_or_default();
    let error = spans.error.as_ref().map(|error| format!(": {}", printable(error))).unwrap_or_default();
    let what = format!("its spans do not leave it{since}{error}");
    let kept = match spans.spool {
        None => "without TELEMETRY_SPOOL_DIR they are lost meanwhile".to_owned(),
        Some(_) => format!("{} wait on disk until it goes well again", spans.spooled),
    };
    with_losses(broken(name, &what).advised(kept), spans)
}

/// The same, with what was lost since the service started.
fn with_losses(finding: Finding, spans: &Spans) -> Finding {
    let lost: Vec<_> = spans.lost().collect();
    let Some((reason, _)) = lost.first() else { return finding };
    let detail = format!("{}; lost since its start: {}", finding.detail, counted(&lost));
    let advice = finding.advice.unwrap_or_else(|| advice_on(reason).to_owned());
    Finding { detail, advice: Some(advice), ..finding }
}

fn lost_since<'a>(before: Option<&Spans>, now: &'a Spans) -> Vec<(&'a str, u64)> {
    let earlier =
        |reason: &str| before.and_then(|spans| spans.lost().find(|(of, _)| *of == reason)).map_or(0, |(_, n)| n);
    let since = now.lost().map(|(reason, spans)| (reason, spans.saturating_sub(earlier(reason))));
    since.filter(|(_, spans)| *spans > 0 && before.is_some()).collect()
}

fn counted(lost: &[(&str, u64)]) -> String {
    let reasons: Vec<_> = lost.iter().map(|(reason, spans)| format!("{spans} ({})", printable(reason))).collect();
    reasons.join(", ")
}

/// What to do against a reason of loss.
fn advice_on(reason: &str) -> &'static str {
    match reason {
        "queue_full" => "more spans end than its collector takes: raise OTEL_BSP_MAX_QUEUE_SIZE, or sample fewer",
        "export_failed" => "TELEMETRY_SPOOL_DIR keeps on disk what a collector does not take",
        "spool_failed" => "its spool is full or cannot be written: raise TELEMETRY_SPOOL_MAX_BYTES, look at the disk",
        "spool_lost" => "what was on disk can no longer be read: look at the disk of TELEMETRY_SPOOL_DIR",
        "rejected" => "the collector refuses these spans for what they are: its log says why",
        _ => "the service's stderr tells when",
    }
}

/// The call from the gateway to the order service.
fn of_hop(seen: &Seen) -> Option<Finding> {
    const HOP: &str = "gateway → order";
    let gateway = seen.services.iter().find(|seen| seen.service == Service::Gateway)?;
    if let Some(failure) = gateway.called.as_ref().ok()?.failure.as_ref() {
        return Some(
            broken(HOP, &format!("the gateway answers {failure}"))
                .advised("does GATEWAY_ORDER name the order service?"),
        );
    }
    let lost = "the order service is called in another trace than the gateway's";
    let advice = "whatever stands between them, a proxy for example, has to pass on traceparent";
    seen.is_one_trace.map(|is_one| if is_one { well(HOP, "one trace") } else { broken(HOP, lost).advised(advice) })
}

/// The doctor's own span, sent straight to the Collector.
fn of_collector(seen: &Seen) -> Option<Finding> {
    const HOP: &str = "collector";
    let own = seen.own.as_ref()?;
    Some(match &own.sent {
        Ok(()) => well(HOP, &format!("{} takes spans", own.collector)),
        Err(why) => broken(HOP, &format!("it does not take a span: {why}"))
            .advised("start it, or say where its OTLP/HTTP receiver is with --collector; its log tells why it refuses"),
    })
}

fn of_view(seen: &Seen) -> Finding {
    const HOP: &str = "view";
    let address = &seen.view.address;
    if let Some(why) = &seen.view.failure {
        return broken(HOP, why).advised("start the view, or say where it is with --view");
    }
    let taken = seen.services.iter().filter(|service| !service.has_arrived && service.is_taken());
    let mut lacking: Vec<_> = taken.map(|service| service.service.name()).collect();
    if seen.own.as_ref().is_some_and(|own| own.sent.is_ok() && !own.has_arrived) {
        lacking.push("the doctor");
    }
    if lacking.is_empty() {
        let lacks_all = !seen.services.iter().any(|service| service.has_arrived);
        let what = if lacks_all { "answers; none of the spans has left its service" } else { "has what was sent" };
        return Finding {
            outcome: if lacks_all { Outcome::Skipped } else { Outcome::Held },
            ..well(HOP, &format!("{address} {what}"))
        };
    }
    let waited = seen.waited.as_secs_f64();
    let what = format!("{address} lacks after {waited:.0} s what was taken of {}", lacking.join(", "));
    let queues: Vec<_> =
        seen.queues.iter().map(|(exporter, size)| format!("{} ({size})", printable(exporter))).collect();
    let advice = match queues.as_slice() {
        [] => {
            "does the collector that takes the spans send them to this view, and does it keep such a trace?".to_owned()
        }
        queues => format!("the Collector's queues are not empty: {}: start what they wait for", queues.join(", ")),
    };
    broken(HOP, &what).advised(advice)
}

fn well(hop: &str, detail: &str) -> Finding {
    Finding { hop: hop.to_owned(), outcome: Outcome::Held, detail: detail.to_owned(), advice: None }
}

fn broken(hop: &str, detail: &str) -> Finding {
    Finding { outcome: Outcome::Failed, ..well(hop, detail) }
}

// === impl Finding ===

impl Finding {
    fn advised(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}
