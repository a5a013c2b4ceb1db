//! A trace as the demo reads it: spans of several services, in the shape of the tree they form.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// Everything a backend holds of one trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// The spans, in no particular order; each id at most once.
    pub(crate) spans: Vec<Span>,
    /// The log records that name this trace; empty where the backend keeps none.
    pub(crate) logs: Vec<Log>,
}

/// One span, and the service that recorded it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    /// `service.name` of the resource.
    pub(crate) service: String,
    /// 16 hex digits.
    pub(crate) id: String,
    /// The parent's id, whether or not the parent was received; `None` for a root.
    pub(crate) parent: Option<String>,
    /// The span's name in full.
    pub(crate) name: String,
    /// Which side of a call the span describes.
    pub(crate) kind: Kind,
    /// Nanoseconds since the epoch.
    pub(crate) start: u64,
    /// Nanoseconds since the epoch.
    pub(crate) end: u64,
    /// Whether the span's status is Error.
    pub(crate) failed: bool,
    /// The attributes, every value as text.
    pub(crate) attributes: BTreeMap<String, String>,
    /// What was noted while the span ran.
    pub(crate) events: Vec<Log>,
}

/// What a call had left, in milliseconds: on a client span what was sent along, on a server span what arrived.
pub(crate) const LEFT: &str = "grpc.timeout_ms";

/// A log record, or an event of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// The span it was written in; empty when it was written in none.
    pub(crate) span: String,
    /// Nanoseconds since the epoch.
    pub(crate) time: u64,
    /// `INFO`, `WARN`, …; empty for an event that has none.
    pub(crate) level: String,
    /// The message.
    pub(crate) message: String,
}

/// `SpanKind` of OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Work inside a service.
    #[default]
    Internal,
    /// A call being served.
    Server,
    /// A call being made.
    Client,
    /// A message being sent.
    Producer,
    /// A message being received.
    Consumer,
}

/// One line of a trace's tree.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    /// What stands on the line.
    pub(crate) item: Item<'a>,
    /// For the line's ancestors, outermost first, and at the end for itself: is it the last child of its parent? Empty
    /// for a root, so its length is the depth.
    pub(crate) last: Vec<bool>,
}

/// What stands on a line of the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    /// A span that was received.
    Span(&'a Span),
    /// The id of a parent that was not received; its children stand below it.
    Missing(&'a str),
}

// === impl Trace ===

impl Trace {
    /// The tree, line by line: parents before children, siblings by start time.
    ///
    /// A parent that was not received has a line of its own, so nothing is ever shown under a parent it does not have.
    pub(crate) fn nodes(&self) -> Vec<Node<'_>> {
        let children = self.children();
        let mut nodes = Vec::with_capacity(self.spans.len());
        let mut stack: Vec<Node<'_>> =
            self.tops().into_iter().rev().map(|item| Node { item, last: Vec::new() }).collect();
        // Spans that name each other as parents hang from no root; the set keeps a walk through them finite.
        let mut seen = HashSet::new();
        while let Some(node) = stack.pop() {
            let id = node.item.id();
            if !seen.insert(id) {
                continue;
            }
            let below = children.get(id).map_or(&[][..], Vec::as_slice);
            for (position, span) in below.iter().enumerate().rev() {
                let mut last = node.last.clone();
                last.push(position + 1 == below.len());
                stack.push(Node { item: Item::Span(span), last });
            }
            nodes.push(node);
        }
        nodes
    }

    /// The parents that were not received, in the order their first child started.
    pub(crate) fn missing(&self) -> Vec<&str> {
        let tops = self.tops();
        tops.into_iter().filter_map(|item| if let Item::Missing(id) = item { Some(id) } else { None }).collect()
    }

    /// What happened in `span` beside its children: its log records, or where the backend keeps none its events.
    pub(crate) fn notes<'a>(&'a self, span: &'a Span) -> Vec<&'a Log> {
        let logs = self.logs.iter().filter(|log| log.span == span.id);
        let mut notes: Vec<_> = if self.logs.is_empty() { span.events.iter().collect() } else { logs.collect() };
        notes.sort_by_key(|note| note.time);
        notes
    }

    /// The log records written in a span that is not here, or in none.
    pub(crate) fn stray_logs(&self) -> Vec<&Log> {
        let ids: HashSet<_> = self.spans.iter().map(|span| span.id.as_str()).collect();
        self.logs.iter().filter(|log| !ids.contains(log.span.as_str())).collect()
    }

    /// When the earliest span started and the latest ended.
    pub(crate) fn extent(&self) -> (u64, u64) {
        let start = self.spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or_default();
        (start, end.max(start))
    }

    fn children(&self) -> HashMap<&str, Vec<&Span>> {
        let mut children: HashMap<&str, Vec<&Span>> = HashMap::new();
        for span in in_order(&self.spans) {
            if let Some(parent) = &span.parent {
                children.entry(parent).or_default().push(span);
            }
        }
        children
    }

    /// The roots and the parents that were not received; a circle of spans begins at one of them.
    fn tops(&self) -> Vec<Item<'_>> {
        let parents: HashMap<_, _> = self.spans.iter().map(|span| (span.id.as_str(), span.parent.as_deref())).collect();
        let mut tops = Vec::new();
        let mut known = HashSet::new();
        for span in in_order(&self.spans) {
            let top = top_of(span, &parents);
            if known.insert(top) {
                tops.push(top);
            }
        }
        let by_id: HashMap<_, _> = self.spans.iter().map(|span| (span.id.as_str(), span)).collect();
        tops.into_iter().map(|id| by_id.get(id).map_or(Item::Missing(id), |span| Item::Span(span))).collect()
    }
}

/// The id at which the way up from `span` ends.
fn top_of<'a>(span: &'a Span, parents: &HashMap<&'a str, Option<&'a str>>) -> &'a str {
    let mut top = span.id.as_str();
    let mut passed = HashSet::from([top]);
    while let Some(Some(parent)) = parents.get(top) {
        if !passed.insert(parent) {
            // Any member would do, as long as all of them name the same one.
            return passed.into_iter().min().unwrap_or(top);
        }
        top = parent;
    }
    top
}

fn in_order(spans: &[Span]) -> Vec<&Span> {
    let mut spans: Vec<_> = spans.iter().collect();
    spans.sort_by(|a, b| (a.start, &a.name, &a.id).cmp(&(b.start, &b.name, &b.id)));
    spans
}

// === impl Span ===

impl Span {
    /// An attribute's value as text.
    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    /// What the call had [`LEFT`], if the span tells.
    pub(crate) fn left(&self) -> Option<u64> {
        self.attribute(LEFT)?.parse().ok()
    }
}

// === impl Item ===

impl<'a> Item<'a> {
    fn id(self) -> &'a str {
        match self {
            Self::Span(span) => &span.id,
            Self::Missing(id) => id,
        }
    }
}

// === impl Kind ===

impl Kind {
    /// The kind of OTLP's number for it.
    pub(crate) fn from_number(number: i64) -> Self {
        match number {
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Internal,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        })
    }
}

#[cfg(test)]
mod tests;
