use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::dependencies::Dependencies;
use super::kept::{KeptLog, KeptSpan};
use super::search::Search;
use super::tree::{Origin, Tree};
use crate::config::Config;
use crate::id::{SpanId, TraceId};

/// What a trace costs beside what is in it.
const TRACE_WEIGHT: usize = size_of::<Trace>() + 64;

/// Traces with their logs, and logs that belong to none, within bounds.
///
/// When there is no room, the trace that came first goes, with everything in it. No trace may hold more than a
/// quarter of the store, so that one which never ends can't push all the others out.
#[derive(Debug)]
pub(super) struct Traces {
    bounds: Bounds,
    traces: HashMap<TraceId, Trace>,
    /// Their ids, in the order of arrival.
    arrivals: VecDeque<TraceId>,
    /// Logs without a trace, in the order of arrival.
    stray_logs: VecDeque<(Origin, Arc<KeptLog>)>,
    stray_bytes: usize,
    counts: Counts,
}

#[derive(Debug)]
struct Bounds {
    spans: usize,
    spans_per_trace: usize,
    bytes: usize,
    bytes_per_trace: usize,
    stray_bytes: usize,
}

#[derive(Debug, Default)]
struct Trace {
    spans: Tree<KeptSpan>,
    logs: Tree<KeptLog>,
    span_ids: HashSet<SpanId>,
    weight: usize,
}

/// What is kept now, and what has gone since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) traces: usize,
    pub(crate) spans: usize,
    pub(crate) logs: usize,
    /// About how much memory all of it takes.
    pub(crate) bytes: usize,
    pub(crate) evicted_traces: usize,
    pub(crate) evicted_spans: usize,
    pub(crate) evicted_logs: usize,
    pub(crate) rejected_spans: usize,
    pub(crate) rejected_logs: usize,
    /// Spans that came again.
    pub(crate) duplicate_spans: usize,
}

// === impl Traces ===

impl Traces {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            bounds: Bounds::new(config),
            traces: HashMap::new(),
            arrivals: VecDeque::new(),
            stray_logs: VecDeque::new(),
            stray_bytes: 0,
            counts: Counts::default(),
        }
    }

    /// Keeps a span unless it is here already. Returns whether its trace has room for it.
    pub(super) fn keep_span(&mut self, id: TraceId, origin: &Origin, span: KeptSpan) -> bool {
        let cost = Tree::cost(origin, &span);
        if let Some(trace) = self.traces.get(&id) {
            if trace.span_ids.contains(&span.id) {
                self.counts.duplicate_spans += 1;
                return true;
            }
            if trace.span_ids.len() >= self.bounds.spans_per_trace {
                return false;
            }
        }
        let Some(trace) = self.room_in_trace(id, cost) else { return false };

        trace.span_ids.insert(span.id);
        let added = trace.spans.push(origin, Arc::new(span));
        trace.weight += added;
        self.counts.spans += 1;
        self.counts.bytes += added;
        self.evict();
        true
    }

    /// Keeps a log record. Returns whether there is room for it.
    pub(super) fn keep_log(&mut self, id: Option<TraceId>, origin: Origin, log: KeptLog) -> bool {
        let cost = Tree::cost(&origin, &log);
        let Some(id) = id else { return self.keep_stray_log(cost, origin, log) };
        let Some(trace) = self.room_in_trace(id, cost) else { return false };

        let added = trace.logs.push(&origin, Arc::new(log));
        trace.weight += added;
        self.counts.logs += 1;
        self.counts.bytes += added;
        self.evict();
        true
    }

    fn keep_stray_log(&mut self, cost: usize, origin: Origin, log: KeptLog) -> bool {
        if cost > self.bounds.stray_bytes {
            return false;
        }
        self.stray_logs.push_back((origin, Arc::new(log)));
        self.stray_bytes += cost;
        self.counts.logs += 1;
        while self.stray_bytes > self.bounds.stray_bytes {
            let Some((origin, log)) = self.stray_logs.pop_front() else { break };
            self.stray_bytes -= Tree::cost(&origin, &*log);
            self.counts.logs -= 1;
            self.counts.evicted_logs += 1;
        }
        true
    }

    /// The trace of that id, begun if it is new, or nothing if its share does not allow for `cost` more.
    fn room_in_trace(&mut self, id: TraceId, cost: usize) -> Option<&mut Trace> {
        let weight = self.traces.get(&id).map_or(TRACE_WEIGHT, |trace| trace.weight);
        if weight + cost > self.bounds.bytes_per_trace {
            return None;
        }
        Some(self.traces.entry(id).or_insert_with(|| {
            self.arrivals.push_back(id);
            self.counts.bytes += TRACE_WEIGHT;
            Trace { weight: TRACE_WEIGHT, ..Trace::default() }
        }))
    }

    fn evict(&mut self) {
        while self.counts.spans > self.bounds.spans || self.counts.bytes > self.bounds.bytes {
            let Some(trace) = self.arrivals.pop_front().and_then(|id| self.traces.remove(&id)) else { break };
            let (spans, logs) = (trace.span_ids.len(), trace.logs.len());
            self.counts.bytes -= trace.weight;
            self.counts.spans -= spans;
            self.counts.logs -= logs;
            self.counts.evicted_traces += 1;
            self.counts.evicted_spans += spans;
            self.counts.evicted_logs += logs;
        }
    }

    pub(super) fn count_rejected_spans(&mut self, count: usize) {
        self.counts.rejected_spans += count;
    }

    pub(super) fn count_rejected_logs(&mut self, count: usize) {
        self.counts.rejected_logs += count;
    }

    pub(super) fn spans(&self, id: TraceId) -> Tree<KeptSpan> {
        self.traces.get(&id).map(|trace| trace.spans.clone()).unwrap_or_default()
    }

    pub(super) fn logs(&self, id: TraceId) -> Tree<KeptLog> {
        self.traces.get(&id).map(|trace| trace.logs.clone()).unwrap_or_default()
    }

    pub(super) fn logs_without_trace(&self) -> Tree<KeptLog> {
        let mut logs = Tree::default();
        for (origin, log) in &self.stray_logs {
            logs.push(origin, Arc::clone(log));
        }
        logs
    }

    /// Every trace that `search` may confirm, the one that came last first.
    pub(super) fn candidates(&self, search: &Search) -> Vec<Tree<KeptSpan>> {
        let latest_first = self.arrivals.iter().rev().filter_map(|id| self.traces.get(id));
        let candidates = latest_first.map(|trace| &trace.spans).filter(|spans| search.may_confirm(spans));
        candidates.cloned().collect()
    }

    /// Every trace that counts for `dependencies`.
    pub(super) fn covered_by(&self, dependencies: &Dependencies) -> Vec<Tree<KeptSpan>> {
        let traces = self.traces.values().map(|trace| &trace.spans).filter(|spans| dependencies.covers(spans));
        traces.cloned().collect()
    }

    /// Every span with its service.
    pub(super) fn items(&self) -> impl Iterator<Item = (&str, &KeptSpan)> {
        self.traces.values().flat_map(|trace| trace.spans.items())
    }

    pub(super) fn counts(&self) -> Counts {
        let traces = self.traces.values().filter(|trace| !trace.span_ids.is_empty()).count();
        Counts { traces, bytes: self.counts.bytes + self.stray_bytes, ..self.counts }
    }
}

// === impl Bounds ===

impl Bounds {
    fn new(config: &Config) -> Self {
        // A tenth of the memory is for logs that no trace's eviction would ever remove.
        let stray_bytes = config.max_bytes / 10;
        Self {
            spans: config.max_spans,
            spans_per_trace: config.max_spans / 4,
            bytes: config.max_bytes - stray_bytes,
            bytes_per_trace: (config.max_bytes - stray_bytes) / 4,
            stray_bytes,
        }
    }
}
