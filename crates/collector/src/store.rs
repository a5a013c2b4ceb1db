mod tree;

mod kept;

mod traces;
pub(crate) use traces::Counts;

mod points;
pub(crate) use points::Points;

mod search;
pub(crate) use search::Search;

mod dependencies;
pub(crate) use dependencies::{Calls, Dependencies};

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

use self::traces::Traces;
use crate::config::Config;
use crate::id::TraceId;

/// All that is kept, in memory: a handle that is cheap to clone.
///
/// A request is taken apart and encoded before the lock is taken, and what is read is decoded after it is given
/// back; no future waits while it is held.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    traces: Traces,
    points: Points,
}

/// How many items of a request were not kept, and why. Spans that are here already are not among them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rejected {
    /// One of their ids is not valid.
    pub(crate) invalid: usize,
    /// Their trace has its share of the store, or they alone are larger than that.
    pub(crate) oversized: usize,
}

// === impl Store ===

impl Store {
    pub(crate) fn new(config: &Config) -> Self {
        let kept = Kept { traces: Traces::new(config), points: Points::default() };
        Self { kept: Arc::new(Mutex::new(kept)) }
    }

    /// Keeps spans; one that is here already stays as it is.
    pub(crate) fn keep_spans(&self, batches: Vec<ResourceSpans>) -> Rejected {
        let (spans, invalid) = kept::take_spans_apart(batches);
        let traces = &mut self.lock().traces;
        let mut rejected = Rejected { invalid, oversized: 0 };
        for (trace, origin, span) in spans {
            rejected.oversized += usize::from(!traces.keep_span(trace, &origin, span));
        }
        traces.count_rejected_spans(invalid + rejected.oversized);
        rejected
    }

    /// Keeps log records: beside their trace, or in a ring of their own if they belong to none.
    pub(crate) fn keep_logs(&self, batches: Vec<ResourceLogs>) -> Rejected {
        let logs = kept::take_logs_apart(batches);
        let traces = &mut self.lock().traces;
        let mut rejected = Rejected::default();
        for (trace, origin, log) in logs {
            rejected.oversized += usize::from(!traces.keep_log(trace, origin, log));
        }
        traces.count_rejected_logs(rejected.oversized);
        rejected
    }

    /// Counts data points; their values are not kept.
    pub(crate) fn count_points(&self, batches: &[ResourceMetrics]) {
        self.lock().points.count(batches);
    }

    /// The spans of a trace, none if it is not here.
    pub(crate) fn trace(&self, id: TraceId) -> Vec<ResourceSpans> {
        let spans = self.lock().traces.spans(id);
        spans.decode()
    }

    /// The traces that match, the one that came last first.
    pub(crate) fn search(&self, search: &Search) -> Vec<Vec<ResourceSpans>> {
        let candidates = self.lock().traces.candidates(search);
        let found = candidates.into_iter().filter(|spans| search.confirms(spans));
        found.take(search.depth).map(|spans| spans.decode()).collect()
    }

    /// How often which service calls which.
    pub(crate) fn dependencies(&self, dependencies: &Dependencies) -> Calls {
        let traces = self.lock().traces.covered_by(dependencies);
        dependencies.count(&traces)
    }

    /// The log records of a trace, none if none are here.
    pub(crate) fn logs(&self, id: TraceId) -> Vec<ResourceLogs> {
        let logs = self.lock().traces.logs(id);
        logs.decode()
    }

    /// The log records that belong to no trace.
    pub(crate) fn logs_without_trace(&self) -> Vec<ResourceLogs> {
        let logs = self.lock().traces.logs_without_trace();
        logs.decode()
    }

    /// Every service with a span here, sorted.
    pub(crate) fn services(&self) -> BTreeSet<String> {
        let kept = self.lock();
        let services = kept.traces.items().map(|(service, _)| service).filter(|service| !service.is_empty());
        services.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
    }

    /// The name and the kind of every span of `service`, sorted.
    pub(crate) fn operations(&self, service: &str) -> BTreeSet<(String, i32)> {
        let kept = self.lock();
        let spans = kept.traces.items().filter(|(of, _)| *of == service).map(|(_, span)| (&*span.name, span.kind));
        spans.collect::<BTreeSet<_>>().into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect()
    }

    pub(crate) fn counts(&self) -> (Counts, Points) {
        let kept = self.lock();
        (kept.traces.counts(), kept.points.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it is held; if something did, the rest of what is kept is still worth serving.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Rejected ===

impl Rejected {
    /// The count and the reason that a partial success carries, or nothing when everything was kept.
    pub(crate) fn into_parts(self) -> Option<(i64, String)> {
        let Self { invalid, oversized } = self;
        let reason = match (invalid, oversized) {
            (0, 0) => return None,
            (_, 0) => format!("{invalid} with an invalid id"),
            (0, _) => format!("{oversized} beyond what one trace may take of the store"),
            (_, _) => format!("{invalid} with an invalid id, {oversized} beyond what one trace may take of the store"),
        };
        Some(((invalid + oversized) as i64, reason))
    }
}
