//! `OTEL_TRACES_EXPORTER=console`: ended spans as text on stdout, for a look without a collector.
//!
//! ```text
//! CLIENT payment POST /v1/authorisations 12.345ms ERROR
//!   trace   4bf92f3577b34da6a3ce929d0e0e4736
//!   span    00f067aa0ba902b7
//!   parent  b7ad6b7169203331 (remote)
//!   start   2026-11-20T12:34:56.123456Z
//!   http.response.status_code = 402
//!   event   +3.210ms declined
//!     level = INFO
//! ```

mod metrics;

use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use time::OffsetDateTime;

use crate::logs::{Escaped, TIMESTAMP};
use crate::semconv;

pub(crate) use metrics::metrics;

/// A span with the service it belongs to, for people.
struct Readable<'a> {
    service: &'a str,
    span: &'a SpanData,
}

/// Appends a span of the service as text.
pub(crate) fn span(service: &str, span: &SpanData, out: &mut Vec<u8>) {
    // Fails for a time only that has no text; a vector has room.
    let _ = write!(out, "{}", Readable { service, span });
}

/// Whose spans and metrics they are.
pub(crate) fn service(resource: &Resource) -> String {
    resource.get(&Key::from_static_str(semconv::SERVICE_NAME)).map(|name| name.to_string()).unwrap_or_default()
}

// === impl Readable ===

impl Display for Readable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let span = self.span;
        let duration = Milliseconds(since(span.start_time, span.end_time));
        write!(f, "{} {} {} {duration}", kind(&span.span_kind), Escaped(self.service), Escaped(&span.name))?;
        writeln!(f, "{}", status(&span.status))?;
        writeln!(f, "  trace   {}", span.span_context.trace_id())?;
        writeln!(f, "  span    {}", span.span_context.span_id())?;
        if span.parent_span_id != SpanId::INVALID {
            let remote = if span.parent_span_is_remote { " (remote)" } else { "" };
            writeln!(f, "  parent  {}{remote}", span.parent_span_id)?;
        }
        let start = OffsetDateTime::from(span.start_time).format(TIMESTAMP).map_err(|_| fmt::Error)?;
        writeln!(f, "  start   {start}")?;
        attributes(f, "  ", &span.attributes)?;
        for event in span.events.iter() {
            let after = Milliseconds(since(span.start_time, event.timestamp));
            writeln!(f, "  event   +{after} {}", Escaped(&event.name))?;
            attributes(f, "    ", &event.attributes)?;
        }
        for link in span.links.iter() {
            writeln!(f, "  link    {} {}", link.span_context.trace_id(), link.span_context.span_id())?;
            attributes(f, "    ", &link.attributes)?;
        }
        Ok(())
    }
}

fn attributes(f: &mut Formatter<'_>, indent: &str, attributes: &[KeyValue]) -> fmt::Result {
    attributes
        .iter()
        .try_for_each(|KeyValue { key, value, .. }| writeln!(f, "{indent}{} = {}", Escaped(key), Escaped(value)))
}

fn kind(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "CLIENT",
        SpanKind::Server => "SERVER",
        SpanKind::Producer => "PRODUCER",
        SpanKind::Consumer => "CONSUMER",
        SpanKind::Internal => "INTERNAL",
    }
}

/// What follows the duration: nothing for a status that is unset.
fn status(status: &Status) -> String {
    match status {
        Status::Unset => String::new(),
        Status::Ok => " OK".to_owned(),
        Status::Error { description } if description.is_empty() => " ERROR".to_owned(),
        Status::Error { description } => format!(" ERROR: {}", Escaped(description)),
    }
}

/// Clocks may be set back while a span runs; that counts as no time.
fn since(start: SystemTime, end: SystemTime) -> Duration {
    end.duration_since(start).unwrap_or_default()
}

/// Milliseconds to the microsecond.
struct Milliseconds(Duration);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}ms", self.0.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{Event, Link, SpanContext, TraceContextExt, TraceFlags, TraceId, TraceState};
    use opentelemetry::trace::{Span, Tracer, TracerProvider};
    use opentelemetry::{Array, Context};
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Written {
        text: Arc<Mutex<Vec<u8>>>,
        service: String,
    }

    impl SpanExporter for Written {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            batch.iter().for_each(|ended| span(&self.service, ended, &mut self.text.lock().unwrap()));
            Ok(())
        }

        fn set_resource(&mut self, resource: &Resource) {
            self.service = service(resource);
        }
    }

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
        }
    }

    fn context(trace_id: &str, span_id: &str) -> SpanContext {
        let (trace_id, span_id) = (TraceId::from_hex(trace_id).unwrap(), SpanId::from_hex(span_id).unwrap());
        SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::default())
    }

    #[test]
    fn a_span_is_written_with_everything_it_says() {
        let written = Written::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(written.clone())
            .with_resource(Resource::builder_empty().with_service_name("payment").build())
            .build();
        let tracer = provider.tracer("");
        let parent = context("4bf92f3577b34da6a3ce929d0e0e4736", "b7ad6b7169203331");
        let start = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_178_096_123_456);
        let at = |micros| start + Duration::from_micros(micros);
        let mut span = tracer
            .span_builder("POST /v1/authorisations")
            .with_kind(SpanKind::Client)
            .with_start_time(start)
            .with_attributes([
                KeyValue::new("http.response.status_code", 402),
                KeyValue::new("tries", opentelemetry::Value::Array(Array::I64(vec![1, 2]))),
                KeyValue::new("note", "a\u{1b}[31m\nb"),
            ])
            .with_events(vec![Event::new("declined", at(3210), vec![KeyValue::new("level", "INFO")], 0)])
            .with_links(vec![Link::with_context(context("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b8"))])
            .start_with_context(&tracer, &Context::new().with_remote_span_context(parent));
        span.set_status(Status::error("card\ndeclined"));
        let span_id = span.span_context().span_id();
        span.end_with_timestamp(at(12_345));

        let expected = format!(
            r"CLIENT payment POST /v1/authorisations 12.345ms ERROR: card\ndeclined
  trace   4bf92f3577b34da6a3ce929d0e0e4736
  span    {span_id}
  parent  b7ad6b7169203331 (remote)
  start   2026-11-20T12:34:56.123456Z
  http.response.status_code = 402
  tries = [1,2]
  note = a\u{{1b}}[31m\nb
  event   +3.210ms declined
    level = INFO
  link    0af7651916cd43dd8448eb211c80319c 00f067aa0ba902b8
"
        );
        assert_eq!(written.text(), expected);
    }

    #[test]
    fn a_root_without_status_is_one_line_and_its_ids() {
        let written = Written::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(written.clone()).build();
        provider.tracer("").start("work").end();
        let text = written.text();
        assert!(text.starts_with("INTERNAL unknown_service"), "{text}");
        assert!(!text.contains("parent") && !text.contains("ERROR") && text.lines().count() == 4, "{text}");
    }
}
