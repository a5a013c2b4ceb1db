//! Lines for machines.

use std::fmt;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::fmt::format::{FormatEvent, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::{Fields, JsonFields, formatted};
use super::{TIMESTAMP, escape};

/// One JSON object a line.
#[derive(Debug)]
pub(super) struct Json {
    service_name: String,
}

/// A JSON object while it is written; the caller gives each key once.
#[derive(Debug, Default)]
struct Line(String);

// === impl Json ===

impl Json {
    pub(super) fn new(service_name: &str) -> Self {
        Self { service_name: service_name.to_owned() }
    }
}

impl<S> FormatEvent<S, JsonFields> for Json
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let mut fields = Fields::default();
        event.record(&mut fields);

        let mut line = Line::default();
        line.add("timestamp", OffsetDateTime::now_utc().format(TIMESTAMP).map_err(|_| fmt::Error)?);
        line.add("level", metadata.level().as_str());
        line.add("target", metadata.target());
        if let Some(message) = fields.take_message() {
            line.add("message", message);
        }
        line.add("fields", fields.into_value());
        line.add("service", self.service_name.as_str());
        if let Some(current) = super::current() {
            line.add("trace_id", current.trace_id().to_string());
            line.add("span_id", current.span_id().to_string());
        }
        if let Some(scope) = context.event_scope() {
            let spans: Vec<_> = scope.from_root().map(|span| object(&span)).collect();
            line.add("span", spans.last().cloned().unwrap_or_default());
            line.add("spans", spans);
        }
        writeln!(writer, "{}", escape::json(line.finish()))
    }
}

fn object<S: for<'span> LookupSpan<'span>>(span: &SpanRef<'_, S>) -> Value {
    let extensions = span.extensions();
    let fields = extensions.get::<FormattedFields<JsonFields>>().map(|fields| formatted(&fields.fields));
    json!({ "name": span.name(), "fields": fields.unwrap_or_default() })
}

// === impl Line ===

impl Line {
    fn add(&mut self, key: &str, value: impl Into<Value>) {
        let before = if self.0.is_empty() { '{' } else { ',' };
        self.0.push_str(&format!("{before}{}:{}", Value::from(key), value.into()));
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
