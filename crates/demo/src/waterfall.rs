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

/// Draws `trace` in lines of at most `width` cells; under 30 they may be wider.
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
        guides: String,
        name: String,
        kind: String,
        bar: bar::Bar,
        took: String,
        remark: String,
        failed: bool,
    },
    /// A log record or a missing parent: text that runs across the columns up to the duration.
    Text { guides: String, text: String, at: String },
}

/// The columns' widths in cells; a column of none is left out.
#[derive(Clone, Copy, Debug, Default)]
struct Columns {
    service: usize,
    name: usize,
    kind: usize,
    bar: usize,
    took: usize,
    remark: usize,
    /// How much of the name's cells the guides in front of it may take.
    guides: usize,
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
                let text = format!("(parent {} not received)", printable(id));
                rows.push(Row::Text { guides: String::new(), text, at: String::new() });
            }
            Item::Span(span) => {
                rows.push(Row::span(span, &node, extent));
                let guides = guides(&node.last, "│ ", "  ") + "  ";
                rows.extend(trace.notes(span).into_iter().map(|note| Row::note(note, guides.clone(), extent.0)));
            }
        }
    }
    rows.extend(trace.stray_logs().into_iter().map(|log| Row::note(log, "  ".to_owned(), extent.0)));
    rows
}

impl Row {
    fn span(span: &Span, node: &Node<'_>, extent: (u64, u64)) -> Self {
        Self::Span {
            service: printable(&span.service),
            guides: guides(&node.last, "├ ", "└ "),
            name: short(&printable(&span.name)),
            kind: kind(span),
            bar: bar::Bar { start: span.start, end: span.end.max(span.start), extent },
            took: duration(span.end.saturating_sub(span.start)),
            remark: printable(&remark::remark(span)),
            failed: span.failed,
        }
    }

    fn note(note: &Log, guides: String, start: u64) -> Self {
        let level = if note.level.is_empty() { String::new() } else { format!("{} ", note.level.to_uppercase()) };
        let at = format!("+{}", duration(note.time.saturating_sub(start)));
        Self::Text { guides, text: printable(&format!("· {level}{}", note.message)), at }
    }

    fn line(&self, columns: &Columns, painter: &Painter<'_>) -> String {
        match self {
            Self::Text { guides, text, at } => {
                let text = hang(guides, text, columns.guides, spread(&[columns.name, columns.kind, columns.bar]));
                let line = format!("{}{GAP}{text}{GAP}{at:>took$}", " ".repeat(columns.service), took = columns.took);
                painter.faint(line.trim_end())
            }
            Self::Span { service, guides, name, kind, bar, took, remark, failed } => {
                let label = painter.service(service, &fit(service, columns.service));
                let bar = painter.service(service, &fit(&bar.draw(columns.bar), columns.bar));
                let remark = fit(remark, columns.remark);
                let remark = remark.trim_end();
                // Padding counts characters, which is right for what `duration` writes.
                let cells = [
                    (columns.service, label),
                    (columns.name, hang(guides, name, columns.guides, columns.name)),
                    (columns.kind, fit(kind, columns.kind)),
                    (columns.bar, bar),
                    (columns.took, format!("{took:>width$}", width = columns.took)),
                    (columns.remark, if *failed { painter.failure(remark) } else { remark.to_owned() }),
                ];
                cells.into_iter().filter(|(width, _)| *width > 0).map(|(_, cell)| cell).collect::<Vec<_>>().join(GAP)
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

/// A name behind its guides in exactly `cells` cells. Of guides that take more than `most` the outer ones are left out.
fn hang(guides: &str, name: &str, most: usize, cells: usize) -> String {
    let depth = width(guides);
    if depth <= most {
        return fit(&format!("{guides}{name}"), cells);
    }
    let kept: String = guides.chars().skip(depth + 1 - most).collect();
    fit(&format!("…{kept}{name}"), cells)
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

/// The least a bar and a name need to say anything beside each other.
const LEAST_BAR: usize = 10;
const LEAST_NAME: usize = 16;

/// The least of a name and the most of a service where there is no room for a bar.
const NARROW_NAME: usize = 7;
const NARROW_SERVICE: usize = 7;

impl Columns {
    fn of(rows: &[Row], line: usize) -> Self {
        let wanted = Self::wanted(rows);
        // Too narrow for every column: the kind is the one to miss least, then the bar.
        let wide = [wanted, Self { kind: 0, ..wanted }].into_iter().find_map(|columns| columns.wide(line));
        let columns = wide.unwrap_or_else(|| wanted.narrow(line));
        // Half of a name that is cut, so that something of it is left however deep it stands: a mark, and then whole
        // guides of two cells each.
        let guides = if columns.name < wanted.name { (columns.name / 2) | 1 } else { usize::MAX };
        Self { guides, ..columns }
    }

    /// What the rows would take; as much of the bar as there is room for.
    fn wanted(rows: &[Row]) -> Self {
        let mut wanted = Self::default();
        for row in rows {
            match row {
                Row::Text { at, .. } => wanted.took = wanted.took.max(at.chars().count()),
                Row::Span { service, guides, name, kind, took, remark, .. } => {
                    wanted.service = wanted.service.max(width(service).min(20));
                    wanted.name = wanted.name.max(width(guides) + width(name));
                    wanted.kind = wanted.kind.max(width(kind).min(10));
                    wanted.took = wanted.took.max(took.chars().count());
                    wanted.remark = wanted.remark.max(width(remark));
                }
            }
        }
        wanted
    }

    /// Gives name and bar what the other columns leave, if that is enough for both.
    fn wide(self, line: usize) -> Option<Self> {
        let others = spread(&[self.service, LEAST_NAME, self.kind, LEAST_BAR, self.took, self.remark]);
        let rest = line.checked_sub(others)? + LEAST_NAME + LEAST_BAR;
        let name = self.name.min(rest - LEAST_BAR.max(rest / 3)).max(LEAST_NAME);
        Some(Self { name, bar: rest - name, ..self })
    }

    /// No bar; the name has what service and duration leave, and gives of it to the remark.
    fn narrow(self, line: usize) -> Self {
        let service = self.service.min(NARROW_SERVICE);
        let rest = line.saturating_sub(spread(&[service, 1, self.took]) - 1);
        let remark = self.remark.min(rest.saturating_sub(NARROW_NAME + GAP.len()));
        let name = if remark == 0 { rest } else { rest - remark - GAP.len() };
        Self { service, name: name.min(self.name.max(NARROW_NAME)), kind: 0, bar: 0, remark, ..self }
    }
}

/// How many cells columns take with the gaps between them.
fn spread(columns: &[usize]) -> usize {
    let kept: Vec<_> = columns.iter().copied().filter(|cells| *cells > 0).collect();
    kept.iter().sum::<usize>() + GAP.len() * kept.len().saturating_sub(1)
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
