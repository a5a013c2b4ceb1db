//! A trace as text that can be compared: what happened in which order, without ids and times.

use crate::trace::{Item, Trace};

/// The tree of a paid order, written once: what `demo once` asserts, the chain's tests expect and the README shows.
pub const PAID_ORDER: &str = include_str!("paid_order.tree");

/// One line a span, two spaces a level, siblings by start time: `service KIND name`, and ` ERROR` where the span failed.
pub(crate) fn tree(trace: &Trace) -> String {
    let mut text = String::new();
    for node in trace.nodes() {
        let indent = "  ".repeat(node.last.len());
        let line = match node.item {
            Item::Missing(id) => format!("(parent {id} not received)"),
            Item::Span(span) => {
                let status = if span.failed { " ERROR" } else { "" };
                format!("{} {} {}{status}", span.service, span.kind, span.name)
            }
        };
        text.push_str(&format!("{indent}{line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, Span};

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
        assert_eq!(tree(&trace), lines);
    }
}
