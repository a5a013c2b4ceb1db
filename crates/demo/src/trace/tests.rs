use super::*;

fn span(id: &str, parent: &str, start: u64) -> Span {
    let parent = Some(parent.to_owned()).filter(|parent| !parent.is_empty());
    Span { id: id.to_owned(), parent, start, end: start + 1, ..Span::default() }
}

fn trace(spans: &[(&str, &str, u64)]) -> Trace {
    Trace { spans: spans.iter().map(|(id, parent, start)| span(id, parent, *start)).collect(), logs: Vec::new() }
}

/// Each line's id, indented by its depth; missing parents in brackets.
#[track_caller]
fn check(spans: &[(&str, &str, u64)], lines: &[&str]) {
    let trace = trace(spans);
    let line = |node: Node<'_>| {
        let indent = "  ".repeat(node.last.len());
        match node.item {
            Item::Span(span) => format!("{indent}{}", span.id),
            Item::Missing(id) => format!("{indent}[{id}]"),
        }
    };
    assert_eq!(trace.nodes().into_iter().map(line).collect::<Vec<_>>(), lines);
}

#[test]
fn parents_stand_before_children_and_siblings_by_start() {
    check(&[("c", "a", 3), ("b", "a", 2), ("a", "", 1), ("d", "b", 4)], &["a", "  b", "    d", "  c"]);
}

#[test]
fn a_missing_parent_has_a_line_of_its_own() {
    check(&[("a", "", 1), ("b", "x", 2), ("c", "x", 3)], &["a", "[x]", "  b", "  c"]);
    assert_eq!(trace(&[("a", "", 1), ("b", "x", 2)]).missing(), ["x"]);
}

#[test]
fn spans_in_a_circle_are_all_shown_and_end() {
    check(&[("a", "b", 1), ("b", "a", 2)], &["a", "  b"]);
    check(&[("a", "a", 1)], &["a"]);
}

#[test]
fn the_last_child_is_known_at_every_depth() {
    let trace = trace(&[("a", "", 1), ("b", "a", 2), ("c", "b", 3), ("d", "a", 4)]);
    let last: Vec<_> = trace.nodes().into_iter().map(|node| node.last).collect();
    assert_eq!(last, [vec![], vec![false], vec![false, true], vec![true]]);
}

#[test]
fn events_stand_in_for_logs_only_where_there_are_none() {
    let note = |message: &str| Log { span: "a".to_owned(), message: message.to_owned(), ..Log::default() };
    let mut trace = trace(&[("a", "", 1)]);
    trace.spans[0].events.push(note("event"));
    assert_eq!(trace.notes(&trace.spans[0])[0].message, "event");
    trace.logs.push(note("log"));
    assert_eq!(trace.notes(&trace.spans[0])[0].message, "log");
}

#[test]
fn logs_without_their_span_are_not_lost() {
    let mut trace = trace(&[("a", "", 1)]);
    trace.logs.push(Log { span: "gone".to_owned(), message: "late".to_owned(), ..Log::default() });
    assert_eq!(trace.stray_logs()[0].message, "late");
}
