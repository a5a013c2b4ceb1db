//! Reads what `OTEL_TRACES_EXPORTER=console` writes.

use telemetry::testing::{SpanRecord, Trace};

const KINDS: [&str; 5] = ["SERVER", "CLIENT", "INTERNAL", "PRODUCER", "CONSUMER"];

/// The one trace that `written` shows.
#[track_caller]
pub(super) fn trace(written: &str) -> Trace {
    let spans = spans(written);
    let first = spans.first().unwrap_or_else(|| panic!("no span in\n{written}")).trace_id.clone();
    assert!(spans.iter().all(|span| span.trace_id == first), "more than one trace in\n{written}");
    Trace::new(spans)
}

/// The spans that `written` shows, in the order they are in.
pub(super) fn spans(written: &str) -> Vec<SpanRecord> {
    let mut spans: Vec<SpanRecord> = Vec::new();
    for line in written.lines() {
        match (line.starts_with(' '), spans.last_mut()) {
            (true, Some(span)) => read(line, span),
            _ => spans.extend(headed(line)),
        }
    }
    spans
}

/// The lines that belong to no span.
pub(super) fn lines(written: &str) -> Vec<&str> {
    written.lines().filter(|line| !line.starts_with(' ') && headed(line).is_none()).collect()
}

/// The span that a line begins: `KIND service name 1.234ms`, perhaps with ` ERROR` and a description.
fn headed(line: &str) -> Option<SpanRecord> {
    let (kind, rest) = line.split_once(' ')?;
    let (service, rest) = rest.split_once(' ')?;
    let (before, after) = rest.split_once("ms").filter(|_| KINDS.contains(&kind))?;
    let (name, _duration) = before.rsplit_once(' ')?;
    Some(SpanRecord {
        kind: kind.to_owned(),
        service: service.to_owned(),
        name: name.to_owned(),
        is_error: after.starts_with(" ERROR"),
        ..SpanRecord::default()
    })
}

/// Reads one of the lines below it.
fn read(line: &str, span: &mut SpanRecord) {
    let words: Vec<_> = line.split_whitespace().collect();
    let attribute = || line.trim().split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned()));
    match (&words[..], attribute()) {
        (["trace", id], _) => span.trace_id = (*id).to_owned(),
        (["span", id], _) => span.span_id = (*id).to_owned(),
        (["parent", id, ..], _) => span.parent_span_id = Some((*id).to_owned()),
        (["start", time], _) => span.start = digits(time),
        (["link", trace, of], _) => span.links.push(((*trace).to_owned(), (*of).to_owned())),
        (["event", _after, name @ ..], _) => span.events.push((name.join(" "), Vec::new())),
        (_, Some(attribute)) if line.starts_with("    ") => span.events.last_mut().unwrap().1.push(attribute),
        (_, Some(attribute)) => span.attributes.push(attribute),
        _ => panic!("{line:?} is in no span"),
    }
}

/// A number that grows with the time. All are in one zone and of one length; the century would not fit.
fn digits(time: &str) -> u64 {
    time.chars().filter(char::is_ascii_digit).skip(2).collect::<String>().parse().unwrap()
}
