//! Traces as a backend shows them: the demo's own collector and Jaeger answer the same questions.

mod search;

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::backend::Backend;
use crate::otlp;
use crate::trace::{Kind, Trace};

pub(crate) use self::search::Search;

/// How often a trace that is still arriving is asked for.
const INTERVAL: Duration = Duration::from_millis(50);

/// The same once it has not come at once: behind a Collector that waits before it decides, each takes seconds.
const LATER_INTERVAL: Duration = Duration::from_millis(250);

/// How long a trace must stay as it is to count as settled: each service exports every 200 ms.
const QUIET: Duration = Duration::from_millis(450);

/// How long a trace of which nothing is known may keep growing before it is shown as it is.
const GROWTH_LIMIT: Duration = Duration::from_secs(2);

/// How long a Collector may take to decide on a trace and to hand it on.
const DECISION_LIMIT: Duration = Duration::from_secs(10);

/// A backend that answers Jaeger's `/api/v3`.
#[derive(Clone, Debug)]
pub(crate) struct View(Backend);

/// A trace as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// `{"resourceSpans": [...]}`, as the backend wrote it.
    pub(crate) document: Value,
    /// The same, read.
    pub(crate) trace: Trace,
    /// Whether everything that was asked to be waited for has arrived.
    pub(crate) settled: bool,
}

// === impl View ===

impl View {
    /// A view of the backend at `base`, for example `http://127.0.0.1:8787`.
    pub(crate) fn new(base: &str) -> anyhow::Result<Self> {
        Ok(Self(Backend::new(base)?))
    }

    /// The trace as it is now; `None` when the backend does not know it.
    pub(crate) async fn trace(&self, id: &str) -> anyhow::Result<Option<Recorded>> {
        let Some(answer) = self.0.find(&path(id), &[]).await? else { return Ok(None) };
        let document = json!({ "resourceSpans": answer["result"]["resourceSpans"] });
        let Some(spans) = otlp::traces(&document).remove(id) else { return Ok(None) };
        let trace = Trace { spans, logs: self.logs(id).await?.map(|answer| otlp::logs(&answer)).unwrap_or_default() };
        Ok(Some(Recorded { document, trace, settled: false }))
    }

    /// The trace once it has settled, or what there is of it when `limit` has passed. A parent named `caller` is not
    /// waited for: its span belongs to whoever started the trace.
    pub(crate) async fn settled(
        &self,
        id: &str,
        caller: Option<&str>,
        limit: Duration,
    ) -> anyhow::Result<Option<Recorded>> {
        self.quiet(id, limit, |found| found.is_some_and(|found| is_whole(&found.trace, caller))).await
    }

    /// The same, which has to be `enough` besides.
    pub(crate) async fn awaited(
        &self,
        id: &str,
        limit: Duration,
        enough: impl Fn(&Trace) -> bool,
    ) -> anyhow::Result<Option<Recorded>> {
        let whole = |found: &Recorded| is_whole(&found.trace, None) && enough(&found.trace);
        self.quiet(id, limit, |found| found.is_some_and(whole)).await
    }

    /// The trace once it has stopped growing, whatever it lacks then: a parent elsewhere never arrives. `None` when
    /// nothing of it arrives in the same time.
    pub(crate) async fn grown(&self, id: &str) -> anyhow::Result<Option<Recorded>> {
        self.quiet(id, GROWTH_LIMIT, |_| true).await
    }

    /// The same for a trace that is known to be on its way: a Collector that samples holds it back for some seconds.
    pub(crate) async fn arrived(&self, id: &str) -> anyhow::Result<Option<Recorded>> {
        self.quiet(id, DECISION_LIMIT, |found| found.is_some()).await
    }

    /// Whether the backend has a span of the trace.
    pub(crate) async fn holds(&self, id: &str) -> anyhow::Result<bool> {
        let answer = self.0.find(&path(id), &[]).await?.unwrap_or_default();
        Ok(otlp::traces(&answer["result"]).contains_key(id))
    }

    /// The trace as the backend writes it; `None` too where that is something else.
    pub(crate) async fn raw(&self, id: &str) -> anyhow::Result<Option<String>> {
        Ok(self.0.text(&path(id), &[]).await?.filter(|text| text.contains(id)))
    }

    /// The trace's log records as the backend writes them, if it keeps any.
    pub(crate) async fn raw_logs(&self, id: &str) -> anyhow::Result<Option<String>> {
        self.0.text(&format!("/api/logs/{id}"), &[]).await
    }

    /// Whether this is a backend that keeps log records too: the demo's collector does, Jaeger does not.
    pub(crate) async fn keeps_logs(&self) -> bool {
        self.0.json("/api/logs", &[]).await.is_ok_and(|answer| answer.is_object())
    }

    /// Asks until the trace has not changed for a while and is `enough`, or `limit` has passed.
    async fn quiet(
        &self,
        id: &str,
        limit: Duration,
        enough: impl Fn(Option<&Recorded>) -> bool,
    ) -> anyhow::Result<Option<Recorded>> {
        let started = Instant::now();
        let mut size = (0, 0);
        let mut unchanged_since = started;
        loop {
            let found = self.trace(id).await?;
            let seen = found.as_ref().map_or((0, 0), |found| (found.trace.spans.len(), found.trace.logs.len()));
            if seen != size {
                (size, unchanged_since) = (seen, Instant::now());
            }
            let settled = enough(found.as_ref()) && unchanged_since.elapsed() >= QUIET;
            if settled || started.elapsed() >= limit {
                return Ok(found.map(|found| Recorded { settled, ..found }));
            }
            sleep(if started.elapsed() < GROWTH_LIMIT { INTERVAL } else { LATER_INTERVAL }).await;
        }
    }

    /// The names of the services that have sent spans.
    pub(crate) async fn services(&self) -> anyhow::Result<Vec<String>> {
        let answer = self.0.json("/api/v3/services", &[]).await?;
        let names = answer["services"].as_array().context("the view's answer holds no list of services")?;
        Ok(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The log records of a trace; Jaeger has none, and says so in its own ways.
    async fn logs(&self, id: &str) -> anyhow::Result<Option<Value>> {
        let answer = self.0.get(&format!("/api/logs/{id}"), &[]).await?;
        let logs = answer.accepted().and_then(|answer| answer.read::<Value>()).ok();
        Ok(logs.map(|mut logs| match logs.get_mut("result").map(Value::take) {
            None | Some(Value::Null) => logs,
            Some(result) => result,
        }))
    }
}

fn path(id: &str) -> String {
    format!("/api/v3/traces/{id}")
}

/// Whether nothing is known to be outstanding: there is a root, each parent is there, and each gRPC call that succeeded
/// shows its other side.
pub(crate) fn is_whole(trace: &Trace, caller: Option<&str>) -> bool {
    let missing = trace.missing();
    let rooted = trace.spans.iter().any(|span| span.parent.is_none()) || missing.iter().any(|id| Some(*id) == caller);
    let answered =
        |id: &str| trace.spans.iter().any(|span| span.kind == Kind::Server && span.parent.as_deref() == Some(id));
    let mut calls = trace
        .spans
        .iter()
        .filter(|span| span.kind == Kind::Client && !span.failed && span.attribute("rpc.system.name").is_some());
    rooted && missing.iter().all(|id| Some(*id) == caller) && calls.all(|call| answered(&call.id))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::get;
    use axum::{Json, Router};

    use super::*;
    use crate::backend;
    use crate::trace::Span;

    fn span(id: &str, parent: Option<&str>, kind: Kind) -> Span {
        let attributes = [("rpc.system.name".to_owned(), "grpc".to_owned())].into();
        Span { id: id.to_owned(), parent: parent.map(str::to_owned), kind, attributes, ..Span::default() }
    }

    #[track_caller]
    fn check(spans: &[Span], whole: bool) {
        assert_eq!(is_whole(&Trace { spans: spans.to_vec(), logs: Vec::new() }, Some("caller")), whole);
    }

    #[test]
    fn a_trace_is_whole_when_nothing_is_known_to_be_missing() {
        let root = span("1", None, Kind::Server);
        let call = span("2", Some("1"), Kind::Client);
        let served = span("3", Some("2"), Kind::Server);
        check(&[], false);
        check(std::slice::from_ref(&root), true);
        check(&[root.clone(), call.clone()], false);
        check(&[root.clone(), Span { failed: true, ..call.clone() }], true);
        check(&[root, call.clone(), served.clone()], true);
        check(&[call, served], false);
        check(&[span("3", Some("caller"), Kind::Server)], true);
    }

    const KNOWN: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// A view that answers this for each trace.
    async fn answering(text: &'static str) -> View {
        View(backend::tests::answering(text).await)
    }

    #[tokio::test]
    async fn what_is_no_trace_is_none_and_no_panic() {
        for text in ["[]", "\"x\"", "{\"data\":[]}", "{\"result\":[]}", "null"] {
            let view = answering(text).await;
            assert!(view.trace(KNOWN).await.unwrap().is_none() && !view.holds(KNOWN).await.unwrap(), "{text}");
            assert!(view.raw(KNOWN).await.unwrap().is_none() && view.logs(KNOWN).await.is_ok(), "{text}");
        }
    }

    #[tokio::test]
    async fn another_trace_is_not_the_one_that_was_asked_for() {
        let other = r#"{"result":{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a1","spanId":"1"}]}]}]}}"#;
        let view = answering(other).await;
        assert!(view.trace(KNOWN).await.unwrap().is_none() && view.trace("a1").await.unwrap().is_some());
        assert!(!view.holds(KNOWN).await.unwrap() && view.holds("a1").await.unwrap());
        assert!(view.raw(KNOWN).await.unwrap().is_none() && view.raw("a1").await.unwrap().is_some());
    }

    /// A backend that receives one span more each time it is asked, up to three; their parent is elsewhere.
    async fn growing() -> View {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let answer = async || {
            let spans = (1..=3.min(ASKED.fetch_add(1, Ordering::Relaxed) + 1)).map(
                |id| json!({ "traceId": KNOWN, "spanId": format!("{id:016}"), "parentSpanId": "00f067aa0ba902b7" }),
            );
            let spans: Vec<_> = spans.collect();
            Json(json!({ "result": { "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] } }))
        };
        let routes = Router::new().route(&path(KNOWN), get(answer));
        View::new(&backend::tests::serve(routes).await).unwrap()
    }

    #[tokio::test]
    async fn a_growing_trace_is_waited_for_and_a_parent_elsewhere_is_not() {
        let view = growing().await;
        let grown = view.grown(KNOWN).await.unwrap().unwrap();
        assert_eq!((grown.trace.spans.len(), grown.settled), (3, true));
        assert!(view.grown("unknown").await.unwrap().is_none());
    }
}
