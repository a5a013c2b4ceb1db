use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1 as pb;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::tree::{Origin, Resource, Scope, Tree, Weigh};
use crate::id::{SpanId, TraceId};

/// Why decoding what is kept can't fail: it was encoded here, and it nests less deep than the request that was
/// decoded before.
const OURS: &str = "the store decodes only what it has encoded";

/// A span as it is kept: encoded, beside what a search looks at.
#[derive(Debug)]
pub(crate) struct KeptSpan {
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: Box<str>,
    /// The number of OTLP's enum.
    pub(crate) kind: i32,
    /// In nanoseconds since the epoch.
    pub(crate) start: u64,
    /// In nanoseconds.
    pub(crate) duration: u64,
    encoded: Vec<u8>,
}

/// A log record as it is kept: encoded.
#[derive(Debug)]
pub(crate) struct KeptLog {
    encoded: Vec<u8>,
}

/// Every span of a request with its trace and its origin, and how many were invalid.
pub(super) fn take_spans_apart(batches: Vec<ResourceSpans>) -> (Vec<(TraceId, Origin, KeptSpan)>, usize) {
    let (mut spans, mut invalid) = (Vec::new(), 0);
    for mut batch in batches {
        let scopes = std::mem::take(&mut batch.scope_spans);
        let resource = Resource::new(batch.resource.as_ref(), &batch);
        for mut scope in scopes {
            let members = std::mem::take(&mut scope.spans);
            let origin = Origin { resource: Arc::clone(&resource), scope: Scope::new(&scope) };
            for span in members {
                match KeptSpan::new(span) {
                    Some((trace, span)) => spans.push((trace, origin.clone(), span)),
                    None => invalid += 1,
                }
            }
        }
    }
    (spans, invalid)
}

/// Every record of a request with its trace and its origin.
pub(super) fn take_logs_apart(batches: Vec<ResourceLogs>) -> Vec<(Option<TraceId>, Origin, KeptLog)> {
    let mut logs = Vec::new();
    for mut batch in batches {
        let scopes = std::mem::take(&mut batch.scope_logs);
        let resource = Resource::new(batch.resource.as_ref(), &batch);
        for mut scope in scopes {
            let members = std::mem::take(&mut scope.log_records);
            let origin = Origin { resource: Arc::clone(&resource), scope: Scope::new(&scope) };
            logs.extend(members.iter().map(|record| {
                let (trace, log) = KeptLog::new(record);
                (trace, origin.clone(), log)
            }));
        }
    }
    logs
}

/// The `service.name` of a resource, empty when there is none.
pub(super) fn service_name(resource: Option<&pb::Resource>) -> &str {
    let mut attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default().iter();
    let name = attributes.find(|attribute| attribute.key == "service.name");
    match name.and_then(|name| name.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(name)) => name,
        _ => "",
    }
}

// === impl KeptSpan ===

impl KeptSpan {
    /// The span and its trace, or nothing if one of its ids is invalid.
    ///
    /// A parent's id of zeros is how some senders write that there is none.
    fn new(mut span: Span) -> Option<(TraceId, Self)> {
        let trace = TraceId::from_wire(&span.trace_id)?;
        let id = SpanId::from_wire(&span.span_id)?;
        if span.parent_span_id == [0; 8] {
            span.parent_span_id.clear();
        }
        let parent = match span.parent_span_id.as_slice() {
            [] => None,
            parent => Some(SpanId::from_wire(parent)?),
        };

        let encoded = span.encode_to_vec();
        let start = span.start_time_unix_nano;
        // A clock may have been set back in between.
        let duration = span.end_time_unix_nano.saturating_sub(start);
        Some((trace, Self { id, parent, name: span.name.into(), kind: span.kind, start, duration, encoded }))
    }

    pub(super) fn decode(&self) -> Span {
        Span::decode(self.encoded.as_slice()).expect(OURS)
    }
}

impl Weigh for KeptSpan {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.encoded.len()
    }
}

// === impl KeptLog ===

impl KeptLog {
    /// The record and its trace. A record without a valid trace id belongs to none.
    fn new(record: &LogRecord) -> (Option<TraceId>, Self) {
        (TraceId::from_wire(&record.trace_id), Self { encoded: record.encode_to_vec() })
    }

    fn decode(&self) -> LogRecord {
        LogRecord::decode(self.encoded.as_slice()).expect(OURS)
    }
}

impl Weigh for KeptLog {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.encoded.len()
    }
}

// === impl Resource ===

impl Resource {
    fn new(resource: Option<&pb::Resource>, batch_without_scopes: &impl Message) -> Arc<Self> {
        Arc::new(Self { service: service_name(resource).into(), encoded: batch_without_scopes.encode_to_vec() })
    }

    pub(super) fn decode(&self) -> ResourceSpans {
        ResourceSpans::decode(self.encoded.as_slice()).expect(OURS)
    }
}

// === impl Scope ===

impl Scope {
    fn new(batch_without_items: &impl Message) -> Arc<Self> {
        Arc::new(Self { encoded: batch_without_items.encode_to_vec() })
    }

    pub(super) fn decode(&self) -> ScopeSpans {
        ScopeSpans::decode(self.encoded.as_slice()).expect(OURS)
    }
}

// === impl Tree ===

impl Tree<KeptSpan> {
    /// The spans as OTLP, in each scope by their start, the resource with the earliest span first.
    pub(crate) fn decode(&self) -> Vec<ResourceSpans> {
        let mut batches: Vec<_> = self.batches.iter().collect();
        let start = |span: &Arc<KeptSpan>| span.start;
        batches.sort_by_key(|batch| batch.scopes.iter().flat_map(|scope| &scope.items).map(start).min());

        let batches = batches.into_iter().map(|batch| {
            let scope_spans = batch.scopes.iter().map(|scope| {
                let mut spans: Vec<_> = scope.items.iter().map(|span| span.decode()).collect();
                spans.sort_by_key(|span| span.start_time_unix_nano);
                ScopeSpans { spans, ..scope.scope.decode() }
            });
            ResourceSpans { scope_spans: scope_spans.collect(), ..batch.resource.decode() }
        });
        batches.collect()
    }
}

impl Tree<KeptLog> {
    /// The records as OTLP, in the order of their arrival.
    pub(crate) fn decode(&self) -> Vec<ResourceLogs> {
        let batches = self.batches.iter().map(|batch| {
            let scope_logs = batch.scopes.iter().map(|scope| {
                let ScopeSpans { scope: from, schema_url, .. } = scope.scope.decode();
                ScopeLogs { scope: from, schema_url, log_records: scope.items.iter().map(|log| log.decode()).collect() }
            });
            let ResourceSpans { resource, schema_url, .. } = batch.resource.decode();
            ResourceLogs { resource, schema_url, scope_logs: scope_logs.collect() }
        });
        batches.collect()
    }
}
