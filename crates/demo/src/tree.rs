//! A trace as text that can be compared: what happened in which order, without ids and times.

use telemetry::testing::{SpanRecord, Trace as Comparable};

use crate::trace::{Span, Trace};

/// The tree of a paid order, written once: what `demo once` asserts, the chain's tests expect and the README shows.
pub const PAID_ORDER: &str = include_str!("paid_order.tree");

/// The trace in the form that telemetry's testing kit renders and compares.
pub(crate) fn comparable(trace: &Trace) -> Comparable {
    Comparable::new(trace.spans.iter().map(record).collect())
}

fn record(span: &Span) -> SpanRecord {
    SpanRecord {
        span_id: span.id.clone(),
        parent_span_id: span.parent.clone(),
        service: span.service.clone(),
        kind: span.kind.to_string(),
        name: span.name.clone(),
        is_error: span.failed,
        start: span.start,
        end: span.end,
        ..SpanRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Kind;

    #[test]
    fn a_line_says_service_kind_name_and_failure() {
        let root = Span {
            service: "gateway".into(),
            id: "a".into(),
            name: "S/M".into(),
            kind: Kind::Server,
            ..Span::default()
        };
        let call = Span {
            parent: Some("a".into()),
            id: "b".into(),
            kind: Kind::Client,
            failed: true,
            start: 1,
            ..root.clone()
        };
        let stray =
            Span { parent: Some("gone".into()), id: "c".into(), kind: Kind::Internal, start: 2, ..root.clone() };
        let trace = Trace { spans: vec![stray, call, root], logs: Vec::new() };
        let lines =
            "gateway SERVER S/M\n  gateway CLIENT S/M ERROR\n(parent gone not received)\n  gateway INTERNAL S/M\n";
        assert_eq!(comparable(&trace).render(&[]), lines);
    }
}
