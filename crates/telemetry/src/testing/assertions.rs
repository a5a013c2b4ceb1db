use crate::testing::collect::Spans;
use crate::testing::trace::{SpanRecord, Trace};

// === impl Trace ===

impl Trace {
    /// Asserts that it is whole: one root, and each other span's parent among its spans.
    ///
    /// A trace that a caller outside the test has begun is whole with his span as its only missing parent.
    ///
    /// # Panics
    /// If there is more than one root or missing parent: prints the tree.
    #[track_caller]
    pub fn assert_no_orphans(&self) {
        let is_known = |id: &String| self.spans().iter().any(|span| &span.span_id == id);
        let parents = self.spans().iter().map(|span| span.parent_span_id.as_ref());
        let mut starts: Vec<_> = parents.filter(|parent| !parent.is_some_and(is_known)).collect();
        let roots = starts.iter().filter(|parent| parent.is_none()).count();
        starts.sort();
        starts.dedup();
        assert!(roots <= 1 && starts.len() == 1, "the trace is not one tree:\n{}", self.render(&[]));
    }

    /// Asserts that none of `secrets` stands in any name, attribute, event or status of its spans.
    ///
    /// # Panics
    /// If one does: says where, without the secret.
    #[track_caller]
    pub fn assert_no_secrets(&self, secrets: &[&str]) {
        for span in self.spans() {
            for (attribute, text) in span.texts() {
                let of = attribute.map_or_else(String::new, |key| format!("the attribute {key} of "));
                assert_clean(text, secrets, || format!("{of}the {} span {}", span.kind, span.name));
            }
        }
    }
}

// === impl Spans ===

impl Spans {
    /// The one trace there is, once all spans have ended.
    ///
    /// # Panics
    /// If there is none or more than one, which prints them, or that takes more than 20 s.
    pub async fn assert_one_trace(&self) -> Trace {
        let mut traces = self.traces().await;
        let all = || traces.iter().map(|trace| trace.render(&[])).collect::<Vec<_>>().join("\n");
        assert!(traces.len() == 1, "there are {} traces:\n{}", traces.len(), all());
        traces.remove(0)
    }

    /// Asserts that none of `secrets` stands in any span, log record or metric so far, once all spans have ended.
    ///
    /// A log record counts if it is made in a span of the test and could leave the process: INFO and above, by the
    /// subscriber that [`Spans::new`] sets. See [`logs`](Self::logs).
    ///
    /// # Panics
    /// If one does, which says where, without the secret, or that takes more than 20 s.
    pub async fn assert_no_secrets(&self, secrets: &[&str]) {
        for trace in self.traces().await {
            trace.assert_no_secrets(secrets);
        }
        for line in self.logs() {
            assert_clean(&line, secrets, || "a log record".to_owned());
        }
        for line in self.metrics_now().render("").lines() {
            assert_clean(line, secrets, || "a metric".to_owned());
        }
    }
}

// === impl SpanRecord ===

impl SpanRecord {
    /// Every text in it, an attribute's value with the attribute's key.
    fn texts(&self) -> impl Iterator<Item = (Option<&String>, &String)> {
        let own = [&self.service, &self.name, &self.status_message];
        let names = own.into_iter().chain(self.events.iter().map(|(name, _)| name));
        let attributes = self.attributes.iter().chain(self.events.iter().flat_map(|(_, attributes)| attributes));
        let of_attribute = |(key, value)| [(None, key), (Some(key), value)];
        names.map(|name| (None, name)).chain(attributes.map(|(key, value)| (key, value)).flat_map(of_attribute))
    }
}

/// The message of a failed test is an output as well, so it repeats no more of the text than stands before the secret.
#[track_caller]
fn assert_clean(text: &str, secrets: &[&str], place: impl Fn() -> String) {
    for (index, secret) in secrets.iter().enumerate() {
        if let Some((before, _)) = text.split_once(secret) {
            panic!("{} holds the secret of index {index} after {before:?}", place().replace(secret, "[secret]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>) -> SpanRecord {
        SpanRecord { span_id: id.to_owned(), parent_span_id: parent.map(str::to_owned), ..SpanRecord::default() }
    }

    #[test]
    fn a_trace_with_one_start_is_whole() {
        Trace::new(vec![span("1", None), span("2", Some("1"))]).assert_no_orphans();
        Trace::new(vec![span("2", Some("1")), span("3", Some("1"))]).assert_no_orphans();
    }

    #[test]
    #[should_panic(expected = "(parent 4 not received)")]
    fn a_missing_parent_beside_a_root_is_told() {
        Trace::new(vec![span("1", None), span("2", Some("4"))]).assert_no_orphans();
    }

    #[test]
    #[should_panic(expected = "not one tree")]
    fn a_second_root_is_told() {
        Trace::new(vec![span("1", None), span("2", None)]).assert_no_orphans();
    }

    #[test]
    #[should_panic(expected = "the attribute with of the CLIENT span call holds the secret of index 1 after \"card \"")]
    fn a_secret_in_an_event_is_told_without_it() {
        let events = vec![("paid".to_owned(), vec![("with".to_owned(), "card 4242".to_owned())])];
        let span = SpanRecord { kind: "CLIENT".into(), name: "call".into(), events, ..SpanRecord::default() };
        Trace::new(vec![span]).assert_no_secrets(&["none", "4242"]);
    }
}
