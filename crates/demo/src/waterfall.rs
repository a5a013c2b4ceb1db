//! A trace as a waterfall: one line a span, its bar where it ran.
//!
//! Columns are the service, the name in its place in the tree, the kind, the bar, the duration and what is worth noting:
//! the code a call failed with, which attempt it was. Log records stand under their span. A parent that was not received
//! is said to be missing; its children stand under that line and nowhere else.

use std::time::Duration;

use anstyle::{AnsiColor, Effects};

use crate::columns::{fit, printable, width};
use crate::trace::{Item, Kind, Log, Node, Span, Trace};

mod bar;
mod remark;

/// How a waterfall is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Not at all.
    Plain,
    /// A colour for each service, red for failures.
    Colour,
}

/// Draws `trace` in lines of at most `width` cells, as far as they can hold the columns at all.
pub(crate) fn render(trace: &Trace, width: usize, style: Style) -> String {
    let rows = rows(trace);
    let columns = Columns::of(&rows, width);
    let painter = Painter { style, services: services(&rows) };
    rows.iter().map(|row| row.line(&columns, &painter).trim_end().to_owned() + "\n").collect()
}

/// One line, its texts ready to be measured.
#[derive(Debug)]
enum Row {
    Span {
        service: String,
        name: String,
        kind: String,
        bar: bar::Bar,
        took: String,
        remark: String,
        failed: bool,
    },
    /// A log record or a missing parent: text that runs across the columns up to the duration.
    Text {
        text: String,
        at: String,
    },
}

/// The columns' widths in cells.
#[derive(Debug)]
struct Columns {
    service: usize,
    name: usize,
    kind: usize,
    bar: usize,
    took: usize,
}

/// Puts colours around finished columns, so that no measure has to know of them.
struct Painter<'a> {
    style: Style,
    services: Vec<&'a str>,
}

// === impl Row ===

fn rows(trace: &Trace) -> Vec<Row> {
    let extent = trace.extent();
    let mut rows = Vec::new();
    for node in trace.nodes() {
        match node.item {
            Item::Missing(id) => {
                rows.push(Row::Text { text: format!("(parent {} not received)", printable(id)), at: String::new() })
            }
            Item::Span(span) => {
                rows.push(Row::span(span, &node, extent));
                let guides = guides(&node.last, "│ ", "  ");
                rows.extend(trace.notes(span).into_iter().map(|note| Row::note(note, &guides, extent.0)));
            }
        }
    }
    rows.extend(trace.stray_logs().into_iter().map(|log| Row::note(log, "", extent.0)));
    rows
}

impl Row {
    fn span(span: &Span, node: &Node<'_>, extent: (u64, u64)) -> Self {
        Self::Span {
            service: printable(&span.service),
            name: guides(&node.last, "├ ", "└ ") + &short(&printable(&span.name)),
            kind: kind(span),
            bar: bar::Bar { start: span.start, end: span.end.max(span.start), extent },
            took: duration(span.end.saturating_sub(span.start)),
            remark: printable(&remark::remark(span)),
            failed: span.failed,
        }
    }

    fn note(note: &Log, guides: &str, start: u64) -> Self {
        let level = if note.level.is_empty() { String::new() } else { format!("{} ", note.level.to_uppercase()) };
        let at = format!("+{}", duration(note.time.saturating_sub(start)));
        Self::Text { text: printable(&format!("{guides}  · {level}{}", note.message)), at }
    }

    fn line(&self, columns: &Columns, painter: &Painter<'_>) -> String {
        match self {
            Self::Text { text, at } => {
                let text = fit(text, columns.name + columns.kind + columns.bar + 2 * GAP.len());
                let line = format!("{}{GAP}{text}{GAP}{at:>took$}", " ".repeat(columns.service), took = columns.took);
                painter.faint(line.trim_end())
            }
            Self::Span { service, name, kind, bar, took, remark, failed } => {
                let label = painter.service(service, &fit(service, columns.service));
                let bar = painter.service(service, &fit(&bar.draw(columns.bar), columns.bar));
                let (name, kind) = (fit(name, columns.name), fit(kind, columns.kind));
                let remark = if *failed { painter.failure(remark) } else { remark.clone() };
                // Counts characters, which is right for what `duration` writes.
                format!("{label}{GAP}{name}{GAP}{kind}{GAP}{bar}{GAP}{took:>width$}{GAP}{remark}", width = columns.took)
            }
        }
    }
}

/// The lines of the tree in front of a name: a branch for itself, and for each ancestor whether its line goes on.
fn guides(last: &[bool], middle: &str, end: &str) -> String {
    let Some((own, ancestors)) = last.split_last() else { return String::new() };
    let through = ancestors.iter().map(|last| if *last { "  " } else { "│ " });
    through.chain([if *own { end } else { middle }]).collect()
}

/// `OrderService/PlaceOrder` for `shop.order.v1.OrderService/PlaceOrder`; every other name as it is.
fn short(name: &str) -> String {
    match name.split_once('/') {
        Some((service, method)) if !service.contains(' ') => {
            format!("{}/{method}", service.rsplit('.').next().unwrap_or(service))
        }
        _ => name.to_owned(),
    }
}

/// Which side of a call the span is; for a call of a database which database.
fn kind(span: &Span) -> String {
    let database = span.attribute("db.system.name").map(printable);
    database.unwrap_or_else(|| match span.kind {
        Kind::Internal => String::new(),
        other => other.to_string().to_lowercase(),
    })
}

/// Nanoseconds for a reader, three digits or so.
pub(crate) fn duration(nanoseconds: u64) -> String {
    let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
    match nanoseconds {
        0..1_000_000 => format!("{:.0} µs", seconds * 1e6),
        1_000_000..100_000_000 => format!("{:.1} ms", seconds * 1e3),
        100_000_000..1_000_000_000 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

// === impl Columns ===

const GAP: &str = "  ";

/// The least a bar and a name need to say anything.
const LEAST_BAR: usize = 10;
const LEAST_NAME: usize = 16;

impl Columns {
    fn of(rows: &[Row], line: usize) -> Self {
        let (mut service, mut name, mut kind, mut took, mut remark) = (0, 0, 0, 0, 0);
        for row in rows {
            match row {
                Row::Text { at, .. } => took = took.max(at.chars().count()),
                Row::Span { service: s, name: n, kind: k, took: t, remark: r, .. } => {
                    service = service.max(width(s).min(20));
                    name = name.max(width(n));
                    kind = kind.max(width(k).min(10));
                    took = took.max(t.chars().count());
                    remark = remark.max(width(r));
                }
            }
        }
        let remark = if remark == 0 { 0 } else { remark + GAP.len() };
        let rest = line.saturating_sub(service + kind + took + remark + 4 * GAP.len());
        // Too narrow for every column: the kind is the one to miss least.
        let (kind, rest) = if rest < LEAST_NAME + LEAST_BAR { (0, rest + kind) } else { (kind, rest) };
        let name = name.min(rest.saturating_sub(LEAST_BAR.max(rest / 3)).max(LEAST_NAME));
        Self { service, name, kind, bar: rest.saturating_sub(name).max(LEAST_BAR), took }
    }
}

// === impl Painter ===

/// Told apart on dark and light screens; red is kept for failures.
const COLOURS: [AnsiColor; 5] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Blue, AnsiColor::Green];

impl Painter<'_> {
    fn service(&self, service: &str, text: &str) -> String {
        let position = self.services.iter().position(|known| *known == service).unwrap_or_default();
        self.paint(COLOURS[position % COLOURS.len()].on_default(), text)
    }

    fn failure(&self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().effects(Effects::BOLD), text)
    }

    fn faint(&self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::DIMMED), text)
    }

    fn paint(&self, style: anstyle::Style, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("{style}{text}{style:#}"),
        }
    }
}

fn services(rows: &[Row]) -> Vec<&str> {
    let mut services = Vec::new();
    for row in rows {
        if let Row::Span { service, .. } = row
            && !services.contains(&service.as_str())
        {
            services.push(service.as_str());
        }
    }
    services
}

#[cfg(test)]
mod tests;
