//! HTTP headers and gRPC metadata as carriers of OpenTelemetry's propagators.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};
use tonic::metadata::MetadataMap;

use super::{TRACEPARENT, TRACESTATE};

/// Text that is valid in no header of a context, for a line that is no text at all.
const INVALID: &str = "\u{fffd}";

/// Writes a context into the headers of a request, HTTP or gRPC.
///
/// A header is overwritten, never repeated, and not sent empty. A new `traceparent` removes the `tracestate` that
/// belonged to the old one. What cannot be a header is left out.
#[derive(Debug)]
pub struct MetadataInjector<'a>(pub &'a mut HeaderMap);

/// Reads a context from the headers of a request, HTTP or gRPC; names match in any case.
#[derive(Debug)]
pub struct MetadataExtractor<'a>(pub &'a HeaderMap);

// === impl MetadataInjector ===

impl<'a> MetadataInjector<'a> {
    /// Writes into the metadata of a gRPC request.
    pub fn from_metadata(metadata: &'a mut MetadataMap) -> Self {
        Self(metadata.as_mut())
    }
}

impl Injector for MetadataInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) else {
            return;
        };
        if name == TRACEPARENT {
            self.0.remove(&TRACESTATE);
        }
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name, value);
        }
    }

    fn reserve(&mut self, additional: usize) {
        // A hint only: a map that is full refuses it, and then refuses nothing that it holds already.
        let _ = self.0.try_reserve(additional);
    }
}

// === impl MetadataExtractor ===

impl<'a> MetadataExtractor<'a> {
    /// Reads from the metadata of a gRPC request.
    pub fn from_metadata(metadata: &'a MetadataMap) -> Self {
        Self(metadata.as_ref())
    }
}

impl Extractor for MetadataExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }

    /// Every line of the header. One that is not text counts as an invalid one, so that it cannot hide.
    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let lines: Vec<_> = self.0.get_all(key).iter().map(|line| line.to_str().unwrap_or(INVALID)).collect();
        (!lines.is_empty()).then_some(lines)
    }
}

#[cfg(test)]
mod tests;
