use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::kept::KeptSpan;
use super::tree::Tree;

/// Asks for traces in which one span has all of this.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
    /// When it starts, in nanoseconds since the epoch.
    pub(crate) start: RangeInclusive<u64>,
    /// In nanoseconds.
    pub(crate) duration: RangeInclusive<u64>,
    /// Attributes of the span, its events, its scope or its resource, each value as text.
    /// As in Jaeger, `error` stands for the span's status.
    pub(crate) attributes: BTreeMap<String, String>,
    /// How many traces are asked for.
    pub(crate) depth: usize,
}

// === impl Search ===

impl Search {
    /// Whether a span here has all but the attributes, which only decoding can tell.
    pub(super) fn may_confirm(&self, spans: &Tree<KeptSpan>) -> bool {
        spans.items().any(|(service, span)| self.fits(service, span))
    }

    /// Whether a span here has all of it.
    pub(super) fn confirms(&self, spans: &Tree<KeptSpan>) -> bool {
        if self.attributes.is_empty() {
            return self.may_confirm(spans);
        }
        spans.batches.iter().any(|batch| {
            let resource = batch.resource.decode().resource.unwrap_or_default();
            batch.scopes.iter().any(|scope| {
                let from = scope.scope.decode().scope.unwrap_or_default();
                let around = [resource.attributes.as_slice(), from.attributes.as_slice()];
                let mut fitting = scope.items.iter().filter(|span| self.fits(&batch.resource.service, span));
                fitting.any(|span| self.has_attributes(&span.decode(), around))
            })
        })
    }

    fn fits(&self, service: &str, span: &KeptSpan) -> bool {
        self.service.as_deref().is_none_or(|wanted| wanted == service)
            && self.operation.as_deref().is_none_or(|wanted| wanted == &*span.name)
            && self.start.contains(&span.start)
            && self.duration.contains(&span.duration)
    }

    fn has_attributes(&self, span: &Span, around: [&[KeyValue]; 2]) -> bool {
        self.attributes.iter().all(|(key, wanted)| {
            if key == "error" {
                return *wanted == is_error(span).to_string();
            }
            let events = span.events.iter().flat_map(|event| &event.attributes);
            let mut attributes = span.attributes.iter().chain(around.into_iter().flatten()).chain(events);
            attributes.any(|attribute| attribute.key == *key && text(attribute).is_some_and(|value| value == *wanted))
        })
    }
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

/// An attribute's value as one would type it into a search; nothing for bytes and for what is nested.
fn text(attribute: &KeyValue) -> Option<String> {
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::BoolValue(truth) => Some(truth.to_string()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        Value::ArrayValue(_) | Value::KvlistValue(_) | Value::BytesValue(_) | Value::StringValueStrindex(_) => None,
    }
}
