use std::collections::{BTreeMap, HashMap};

use super::kept::KeptSpan;
use super::tree::Tree;

/// What Jaeger calls a service whose spans do not name it.
const NAMELESS: &str = "missing-service-name";

/// Asks which service calls which, by the traces that lie within a span of time.
#[derive(Debug)]
pub(crate) struct Dependencies {
    /// In nanoseconds since the epoch. As in Jaeger, a trace that starts at this very moment does not count.
    pub(crate) after: i128,
    /// The same for its end.
    pub(crate) before: i128,
    /// Asks only for what this service calls, or is called by.
    pub(crate) service: Option<String>,
}

/// How many spans of a service, the second, have a parent in a service, the first.
pub(crate) type Calls = BTreeMap<(String, String), u64>;

// === impl Dependencies ===

impl Dependencies {
    /// Whether all of a trace lies within the time.
    pub(super) fn covers(&self, spans: &Tree<KeptSpan>) -> bool {
        spans.items().all(|(_, span)| {
            let start = i128::from(span.start);
            start > self.after && start + i128::from(span.duration) < self.before
        })
    }

    /// Counts the calls in `traces`. A parent that is not here, or in another trace, counts for nothing; a service that
    /// has spans below its own calls itself, as in Jaeger.
    pub(super) fn count(&self, traces: &[Tree<KeptSpan>]) -> Calls {
        let mut calls = BTreeMap::<_, u64>::new();
        for trace in traces {
            let services: HashMap<_, _> = trace.items().map(|(service, span)| (span.id, named(service))).collect();
            let links = trace.items().filter_map(|(child, span)| Some((*services.get(&span.parent?)?, named(child))));
            for link in links.filter(|link| self.concerns(*link)) {
                *calls.entry(link).or_default() += 1;
            }
        }
        let owned = |((parent, child), count): ((&str, &str), _)| ((parent.to_owned(), child.to_owned()), count);
        calls.into_iter().map(owned).collect()
    }

    fn concerns(&self, (parent, child): (&str, &str)) -> bool {
        self.service.as_deref().is_none_or(|service| service == parent || service == child)
    }
}

fn named(service: &str) -> &str {
    if service.is_empty() { NAMELESS } else { service }
}
