use std::collections::BTreeSet;
use std::fmt::Write;

/// A finished span, as plain text and numbers: the same whether it was collected in a test or read from a backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanRecord {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The parent's span id; `None` for a root.
    pub parent_span_id: Option<String>,
    /// The resource's `service.name`.
    pub service: String,
    /// `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `INTERNAL`.
    pub kind: String,
    /// The span's name.
    pub name: String,
    /// Whether the span's status is Error.
    pub is_error: bool,
    /// The description of the status Error; mostly empty.
    pub status_message: String,
    /// When it started, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended, in nanoseconds since 1970.
    pub end: u64,
    /// Keys and values, the latter as text.
    pub attributes: Vec<(String, String)>,
    /// The events' names with their attributes, in order.
    pub events: Vec<(String, Vec<(String, String)>)>,
    /// Trace and span ids of the linked spans.
    pub links: Vec<(String, String)>,
}

/// The spans of one trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    spans: Vec<SpanRecord>,
}

// === impl SpanRecord ===

impl SpanRecord {
    /// The value of an attribute, as text.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// `service KIND name`, then ` ERROR` if its status is that, then the attributes among `keys` that it has.
    fn line(&self, keys: &BTreeSet<&str>) -> String {
        let mut line = format!("{} {} {}", self.service, self.kind, self.name);
        if self.is_error {
            line.push_str(" ERROR");
        }
        let chosen: Vec<_> = keys.iter().filter_map(|key| Some(format!("{key}={}", self.attribute(key)?))).collect();
        if !chosen.is_empty() {
            let _ = write!(line, " [{}]", chosen.join(", "));
        }
        line
    }
}

// === impl Trace ===

impl Trace {
    /// A trace of these spans, in the order they started.
    pub fn new(mut spans: Vec<SpanRecord>) -> Self {
        spans.sort_by_key(|span| (span.start, span.end));
        Self { spans }
    }

    /// The spans in the order they started.
    pub fn spans(&self) -> &[SpanRecord] {
        &self.spans
    }

    /// The one span of this kind and name.
    ///
    /// # Panics
    /// If there is none, or more than one: prints the tree.
    #[track_caller]
    pub fn span(&self, kind: &str, name: &str) -> &SpanRecord {
        let found: Vec<_> = self.spans.iter().filter(|span| span.kind == kind && span.name == name).collect();
        match found[..] {
            [span] => span,
            _ => panic!("{} spans are {kind} {name} in\n{}", found.len(), self.render(&[])),
        }
    }

    /// The trace as text: a span a line, two spaces a level, siblings in the order they started. A span whose parent is
    /// not in the trace stands at the left under a line that names the parent.
    ///
    /// A line is `service KIND name`, then ` ERROR` for that status, then `[key=value, ..]` for the attributes `keys`.
    pub fn render(&self, keys: &[&str]) -> String {
        let keys = keys.iter().copied().collect();
        let mut text = String::new();
        for span in &self.spans {
            match &span.parent_span_id {
                None => self.render_below(span, 0, &keys, &mut text),
                Some(parent) if !self.spans.iter().any(|span| &span.span_id == parent) => {
                    let _ = writeln!(text, "(parent {parent} not received)");
                    self.render_below(span, 1, &keys, &mut text);
                }
                Some(_) => {}
            }
        }
        text
    }

    fn render_below(&self, span: &SpanRecord, level: usize, keys: &BTreeSet<&str>, text: &mut String) {
        let _ = writeln!(text, "{:indent$}{}", "", span.line(keys), indent = 2 * level);
        for child in self.spans.iter().filter(|child| child.parent_span_id.as_ref() == Some(&span.span_id)) {
            self.render_below(child, level + 1, keys, text);
        }
    }

    /// How the trace differs from `expected`, line by line (`-` expected, `+` found), or `None` if it does not.
    ///
    /// `expected` is in the format of [`render`](Self::render); its common indentation does not count. An attribute that
    /// any of its lines names is compared on every span.
    pub fn difference(&self, expected: &str) -> Option<String> {
        let expected = unindented(expected);
        let keys: Vec<_> = expected.iter().flat_map(|line| keys_of(line)).collect();
        let found = self.render(&keys);
        let found: Vec<_> = found.lines().collect();
        (found != expected).then(|| difference(&expected, &found))
    }

    /// Asserts the exact tree: see [`difference`](Self::difference).
    ///
    /// # Panics
    /// If the trace differs: says where.
    #[track_caller]
    pub fn assert_tree(&self, expected: &str) {
        if let Some(difference) = self.difference(expected) {
            panic!("the trace differs (- expected, + found):\n{difference}");
        }
    }
}

/// The lines without blank ones and without the indentation that all share.
fn unindented(text: &str) -> Vec<&str> {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let shared = lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    lines().map(|line| line[shared..].trim_end()).collect()
}

/// The attributes that a line names in its brackets.
fn keys_of(line: &str) -> impl Iterator<Item = &str> {
    let attributes = line.split_once(" [").and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or_default();
    attributes.split(", ").filter_map(|pair| Some(pair.split_once('=')?.0))
}

/// The two texts as one, by their longest common subsequence of lines.
fn difference(expected: &[&str], found: &[&str]) -> String {
    let mut common = vec![vec![0; found.len() + 1]; expected.len() + 1];
    for (i, line) in expected.iter().enumerate().rev() {
        for (j, other) in found.iter().enumerate().rev() {
            common[i][j] =
                if line == other { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < expected.len() || j < found.len() {
        let (mark, line) = if i < expected.len() && j < found.len() && expected[i] == found[j] {
            (i, j) = (i + 1, j + 1);
            (' ', expected[i - 1])
        } else if j == found.len() || i < expected.len() && common[i + 1][j] >= common[i][j + 1] {
            i += 1;
            ('-', expected[i - 1])
        } else {
            j += 1;
            ('+', found[j - 1])
        };
        let _ = writeln!(text, "{mark} {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, name: &str, start: u64) -> SpanRecord {
        SpanRecord {
            span_id: id.to_owned(),
            parent_span_id: parent.map(str::to_owned),
            service: "order".to_owned(),
            kind: "INTERNAL".to_owned(),
            name: name.to_owned(),
            attributes: vec![("order.id".to_owned(), name.to_uppercase())],
            start,
            ..SpanRecord::default()
        }
    }

    fn trace() -> Trace {
        Trace::new(vec![span("3", Some("1"), "c", 3), span("1", None, "a", 1), span("2", Some("1"), "b", 2)])
    }

    #[test]
    fn siblings_stand_in_the_order_they_started() {
        assert_eq!(trace().render(&[]), "order INTERNAL a\n  order INTERNAL b\n  order INTERNAL c\n");
    }

    #[test]
    fn a_missing_parent_is_named() {
        let orphan = Trace::new(vec![span("2", Some("1"), "b", 2)]);
        assert_eq!(orphan.render(&[]), "(parent 1 not received)\n  order INTERNAL b\n");
    }

    #[test]
    fn a_difference_shows_both_sides_in_place() {
        let expected = "
            order INTERNAL a
              order INTERNAL x
              order INTERNAL c
        ";
        let difference = trace().difference(expected).unwrap();
        let lines = ["  order INTERNAL a", "-   order INTERNAL x", "+   order INTERNAL b", "    order INTERNAL c", ""];
        assert_eq!(difference, lines.join("\n"));
    }

    #[test]
    fn an_attribute_that_one_line_names_is_compared_on_all() {
        let expected = "
            order INTERNAL a [order.id=A]
              order INTERNAL b
              order INTERNAL c [order.id=C]
        ";
        assert!(trace().difference(expected).unwrap().contains("+   order INTERNAL b [order.id=B]"));
    }
}
