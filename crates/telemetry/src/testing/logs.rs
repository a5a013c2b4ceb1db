use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, Weak};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::layer::{Context as LayerContext, Layer};

use crate::lock::lock;
use crate::logs::Escaped;
use crate::testing::collect::Seen;

/// What collects, so that each log record finds the test that it belongs to: the subscriber is the process's.
static COLLECTING: Mutex<Vec<Weak<Seen>>> = Mutex::new(Vec::new());

/// Gives each log record to the test whose span it is made in.
pub(super) struct LogCollector;

/// `message [key=value, ..]` in the making.
#[derive(Default)]
struct Line {
    message: String,
    fields: Vec<String>,
}

/// Gives `seen` the log records that are made in its spans.
pub(super) fn collect_for(seen: Weak<Seen>) {
    let mut collecting = collecting();
    collecting.retain(|seen| seen.strong_count() > 0);
    collecting.push(seen);
}

fn collecting() -> MutexGuard<'static, Vec<Weak<Seen>>> {
    lock(&COLLECTING)
}

// === impl LogCollector ===

impl<S: Subscriber> Layer<S> for LogCollector {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        let context = Context::current().span().span_context().clone();
        if !context.is_valid() {
            return;
        }
        let id = (context.trace_id().to_string(), context.span_id().to_string());
        // A field's own `Debug` may log as well, so no lock is held while fields are read.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let mut line = Line::default();
        event.record(&mut line);
        let line = line.after(&format!("{} {}", metadata.level(), metadata.target()));
        let seen: Vec<_> = collecting().iter().filter_map(Weak::upgrade).collect();
        if let Some(seen) = seen.iter().find(|seen| seen.is_open(&id)) {
            seen.log(line);
        }
    }
}

// === impl Line ===

impl Line {
    fn after(self, start: &str) -> String {
        let mut line = format!("{start} {}", Escaped(&self.message));
        if !self.fields.is_empty() {
            let _ = write!(line, " [{}]", self.fields.join(", "));
        }
        line
    }

    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name if name.starts_with("log.") => {}
            name => self.fields.push(format!("{name}={}", Escaped(&value))),
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}
