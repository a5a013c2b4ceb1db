//! Ended spans and log records as the bytes of OTLP, spans without the messages of structs that `opentelemetry-proto`
//! makes of them first.
//!
//! A request is put together from parts. A part is a run of whole fields, so parts that follow each other are one:
//!
//! - of a `ScopeSpans`, what [`scope`] writes once for each scope, and what [`span`] writes for each of its spans;
//! - of a `ResourceSpans`, what [`resource`] writes once;
//! - [`request`] frames them.
//!
//! A `ScopeLogs` and a `ResourceLogs` have the same fields by the same numbers, with what [`log_record`] writes for spans.
//!
//! What a collector decodes is what the stock exporter would have sent. The numbers are those of the fields in
//! opentelemetry-proto's `trace.proto`, `common.proto` and `resource.proto`.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

mod attribute;
mod protobuf;

use attribute::attribute;
use protobuf::{counter, fixed32, fixed64, head, length_with_head, message, string, string_length};

/// The flag that says that the next one means something (`CONTEXT_HAS_IS_REMOTE_MASK`).
const HAS_IS_REMOTE: u32 = 0x100;

/// The flag of a parent, or a linked span, in another process (`CONTEXT_IS_REMOTE_MASK`).
const IS_REMOTE: u32 = 0x200;

/// The parts of one `ScopeSpans` or `ScopeLogs`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scoped<'p> {
    /// What [`scope`] wrote.
    pub(super) scope: &'p [u8],
    /// What [`span`] wrote for each span, or [`log_record`] for each record.
    pub(super) items: &'p [u8],
}

// === impl Scoped ===

impl Scoped<'_> {
    fn length(&self) -> usize {
        self.scope.len() + self.items.len()
    }
}

/// Appends an `ExportTraceServiceRequest` or `ExportLogsServiceRequest` of one resource, which is what [`resource`] wrote.
pub(super) fn request(resource: &[u8], scopes: &[Scoped<'_>], out: &mut Vec<u8>) {
    let in_scopes: usize = scopes.iter().map(|scoped| length_with_head(scoped.length())).sum();
    let length = resource.len() + in_scopes;
    out.reserve(length_with_head(length));
    head(1, length, out);
    out.extend_from_slice(resource);
    for scoped in scopes {
        head(2, scoped.length(), out);
        out.extend_from_slice(scoped.scope);
        out.extend_from_slice(scoped.items);
    }
}

/// Appends what a `ResourceSpans` says of its resource.
pub(super) fn resource(resource: &Resource, out: &mut Vec<u8>) {
    message(1, out, |out| {
        for (key, value) in resource {
            attribute(1, key, value, out);
        }
    });
    string(3, resource.schema_url().unwrap_or_default(), out);
}

/// Appends what a `ScopeSpans` says of its scope.
pub(super) fn scope(scope: &InstrumentationScope, out: &mut Vec<u8>) {
    message(1, out, |out| {
        string(1, scope.name(), out);
        string(2, scope.version().unwrap_or_default(), out);
        for KeyValue { key, value, .. } in scope.attributes() {
            attribute(3, key, value, out);
        }
    });
    string(3, scope.schema_url().unwrap_or_default(), out);
}

/// Appends one record of a `ScopeLogs`.
pub(super) fn log_record(record: &LogRecord, out: &mut Vec<u8>) {
    head(2, record.encoded_len(), out);
    // Fails for want of room only, and a vector has room.
    let _ = record.encode(out);
}

/// Appends one span of a `ScopeSpans`.
///
/// A later attribute does not replace an earlier one of the same key: that, and every limit, is the caller's to see to.
pub(super) fn span(span: &SpanData, out: &mut Vec<u8>) {
    message(2, out, |out| {
        context(&span.span_context, out);
        if span.parent_span_id != SpanId::INVALID {
            head(4, 8, out);
            out.extend_from_slice(&span.parent_span_id.to_bytes());
        }
        string(5, &span.name, out);
        counter(6, kind(&span.span_kind), out);
        fixed64(7, nanoseconds(span.start_time), out);
        fixed64(8, nanoseconds(span.end_time), out);
        attributes(9, &span.attributes, out);
        counter(10, span.dropped_attributes_count, out);
        for event in span.events.iter() {
            message(11, out, |out| fields_of_event(event, out));
        }
        counter(12, span.events.dropped_count, out);
        for link in span.links.iter() {
            message(13, out, |out| fields_of_link(link, out));
        }
        counter(14, span.links.dropped_count, out);
        status(&span.status, out);
        fixed32(16, flags(&span.span_context, span.parent_span_is_remote), out);
    });
}

fn fields_of_event(event: &Event, out: &mut Vec<u8>) {
    fixed64(1, nanoseconds(event.timestamp), out);
    string(2, &event.name, out);
    attributes(3, &event.attributes, out);
    counter(4, event.dropped_attributes_count, out);
}

fn fields_of_link(link: &Link, out: &mut Vec<u8>) {
    context(&link.span_context, out);
    attributes(4, &link.attributes, out);
    counter(5, link.dropped_attributes_count, out);
    fixed32(6, flags(&link.span_context, link.span_context.is_remote()), out);
}

/// The first three fields, which a `Span` and a `Link` share. Ids are sent even if they are invalid.
fn context(context: &SpanContext, out: &mut Vec<u8>) {
    head(1, 16, out);
    out.extend_from_slice(&context.trace_id().to_bytes());
    head(2, 8, out);
    out.extend_from_slice(&context.span_id().to_bytes());

    let members = || context.trace_state().into_iter();
    let separators = members().len().saturating_sub(1);
    let length = separators + members().map(|(key, value)| key.len() + 1 + value.len()).sum::<usize>();
    if length == 0 {
        return;
    }
    head(3, length, out);
    for (position, (key, value)) in members().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    }
}

fn attributes(field: u32, attributes: &[KeyValue], out: &mut Vec<u8>) {
    for KeyValue { key, value, .. } in attributes {
        attribute(field, key, value, out);
    }
}

/// The status is sent even if it is unset, and then empty.
fn status(status: &Status, out: &mut Vec<u8>) {
    let (code, description) = match status {
        Status::Unset => return head(15, 0, out),
        Status::Ok => (1, ""),
        Status::Error { description } => (2, description.as_ref()),
    };
    head(15, string_length(description) + 2, out);
    string(2, description, out);
    counter(3, code, out);
}

fn kind(kind: &SpanKind) -> u32 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// The flags of `context`; `is_remote` is said of the parent in a span, and of the linked span in a link.
fn flags(context: &SpanContext, is_remote: bool) -> u32 {
    let remote = if is_remote { IS_REMOTE } else { 0 };
    u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote
}

/// Since the epoch: 0 before it, and from the year 2554 on without the bits that do not fit, as the stock exporter has it.
fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests;
