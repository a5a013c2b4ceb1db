//! One ordinary order is one whole trace, wherever one looks.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::run::{Example, Run, Verdict};
use crate::loki::Loki;
use crate::patience::{PATIENCE, eventually};
use crate::trace::{Kind, Span, Trace};
use crate::tree::{PAID_ORDER, comparable};
use crate::view::View;

/// What the services say in the trace of a paid order.
const LOGGED: [&str; 2] = ["order.validated", "payment.authorised"];

/// The tree is the expected one, line by line.
pub(super) async fn the_tree_is_exact(run: &Run) -> anyhow::Result<Verdict> {
    let Example { id, trace } = run.example().await?;
    if let Some(difference) = comparable(trace).difference(PAID_ORDER) {
        bail!("trace {id} differs (- expected, + found):\n{difference}");
    }
    let orphans = trace.missing().len();
    ensure!(orphans == 0, "trace {id} has {orphans} orphans");
    let services: BTreeSet<_> = trace.spans.iter().map(|span| &span.service).collect();
    Verdict::held(format!("{} spans, {} services, 0 orphans", trace.spans.len(), services.len()))
}

/// Each call of a service has its other side below it, in another service; each call served, but for the first, has a
/// caller.
pub(super) async fn each_call_has_both_sides(run: &Run) -> anyhow::Result<Verdict> {
    let Example { id, trace } = run.example().await?;
    let calls = pair(trace).with_context(|| format!("trace {id}"))?;
    Verdict::held(format!("each of {calls} has its server span, in another service"))
}

/// How many calls there are that have both their sides; all have.
fn pair(trace: &Trace) -> anyhow::Result<usize> {
    let (made, served) = (rpcs(trace, Kind::Client), rpcs(trace, Kind::Server));
    for call in &made {
        let below: Vec<_> = served.iter().filter(|span| span.parent.as_ref() == Some(&call.id)).collect();
        let [other] = below[..] else { bail!("{} {} has {} other sides", call.service, call.name, below.len()) };
        ensure!(other.service != call.service, "{} is caller and called of {}", call.service, call.name);
        ensure!(other.name == call.name, "{} is answered by {}", call.name, other.name);
    }
    ensure!(made.len() >= 2, "there are {} calls between services, two were expected", made.len());
    ensure!(served.len() == made.len() + 1, "{} calls made but {} served", made.len(), served.len());
    Ok(made.len())
}

/// Tempo holds the same spans.
pub(super) async fn tempo_holds_the_same(run: &Run) -> anyhow::Result<Verdict> {
    let Some(tempo) = &run.backends.tempo else { return Verdict::skipped("no --tempo") };
    let Example { id, trace } = run.example().await?;
    let ids = |spans: &[Span]| spans.iter().map(|span| span.id.clone()).collect::<BTreeSet<_>>();
    let expected = ids(&trace.spans);
    let same = async || Ok(tempo.trace(id).await?.filter(|spans| ids(spans) == expected));
    if eventually(PATIENCE, same).await?.is_none() {
        let held = tempo.trace(id).await?.map_or(0, |spans| spans.len());
        bail!("of the {} spans of trace {id} Tempo holds {held}", expected.len());
    }
    Verdict::held(format!("the same {} spans", expected.len()))
}

/// The log records of an order name its trace and one of its spans.
pub(super) async fn logs_name_the_trace(run: &Run) -> anyhow::Result<Verdict> {
    let (view, loki) = (&run.backends.view, &run.backends.loki);
    if loki.is_none() && !view.keeps_logs().await {
        return Verdict::skipped("no --loki, and the view keeps no logs");
    }
    let Example { id, trace } = run.example().await?;
    let place = if loki.is_some() { "Loki" } else { "the view" };
    let found = async || match loki {
        Some(loki) => in_loki(loki, id).await.map(complete),
        None => in_view(view, id).await.map(complete),
    };
    let logs = eventually(PATIENCE, found).await?;
    let logs = logs.with_context(|| format!("{place} lacks `{}` of trace {id}", LOGGED.join("` or `")))?;
    let known: BTreeSet<_> = trace.spans.iter().map(|span| &span.id).collect();
    if let Some((message, span)) = logs.iter().find(|(_, span)| !known.contains(span)) {
        bail!("{place} has `{message}` in span {span}, which is not in trace {id}");
    }
    Verdict::held(format!("{} records in {place}, each in a span of the trace", logs.len()))
}

/// The message of a log record, and the id of the span that it was written in.
type Record = (String, String);

/// Log records, if all are there that were expected.
fn complete(logs: Vec<Record>) -> Option<Vec<Record>> {
    let there = LOGGED.iter().all(|expected| logs.iter().any(|(message, _)| message == expected));
    there.then_some(logs)
}

async fn in_view(view: &View, id: &str) -> anyhow::Result<Vec<Record>> {
    let logs = view.trace(id).await?.map(|recorded| recorded.trace.logs).unwrap_or_default();
    Ok(logs.into_iter().map(|log| (log.message, log.span)).collect())
}

/// The log records of a trace.
pub(super) async fn in_loki(loki: &Loki, id: &str) -> anyhow::Result<Vec<Record>> {
    let streams = loki.of_trace(id).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let records = streams.iter().flat_map(|stream| {
        let lines = stream["values"].as_array().into_iter().flatten();
        lines.map(move |line| (text(&line[1]), text(&stream["stream"]["span_id"])))
    });
    Ok(records.collect())
}

/// The spans of one side of gRPC calls, in the order they started.
pub(super) fn rpcs(trace: &Trace, kind: Kind) -> Vec<&Span> {
    let of_kind = trace.spans.iter().filter(|span| span.kind == kind);
    let mut rpcs: Vec<_> = of_kind.filter(|span| span.attribute("rpc.system.name").is_some()).collect();
    rpcs.sort_by_key(|span| span.start);
    rpcs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gateway → order → payment, each span the child of the one before; `change` spoils one of them.
    fn chain(change: impl Fn(&mut Vec<Span>)) -> anyhow::Result<usize> {
        let sides = [("gateway", "a"), ("gateway", "b"), ("order", "b"), ("order", "c"), ("payment", "c")];
        let span = |(at, (service, name)): (usize, (&str, &str))| Span {
            service: service.to_owned(),
            id: at.to_string(),
            parent: at.checked_sub(1).map(|parent| parent.to_string()),
            name: name.to_owned(),
            kind: if at % 2 == 0 { Kind::Server } else { Kind::Client },
            attributes: [("rpc.system.name".to_owned(), "grpc".to_owned())].into(),
            ..Span::default()
        };
        let mut spans = sides.into_iter().enumerate().map(span).collect();
        change(&mut spans);
        pair(&Trace { spans, logs: Vec::new() })
    }

    #[test]
    fn each_call_needs_one_other_side_in_another_service() {
        assert_eq!(chain(|_| ()).unwrap(), 2);
        let wrong = |change: fn(&mut Vec<Span>)| chain(change).unwrap_err().to_string();
        assert_eq!(wrong(|spans| spans.truncate(4)), "order c has 0 other sides");
        assert_eq!(wrong(|spans| spans[4].parent = Some("gone".to_owned())), "order c has 0 other sides");
        assert_eq!(wrong(|spans| spans[2].service = "gateway".to_owned()), "gateway is caller and called of b");
        assert_eq!(wrong(|spans| spans[2].name = "other".to_owned()), "b is answered by other");
        assert_eq!(wrong(|spans| spans.truncate(3)), "there are 1 calls between services, two were expected");
        assert_eq!(wrong(|spans| drop(spans.remove(0))), "2 calls made but 2 served");
    }
}
