//! What crosses a process boundary with a call: W3C Trace Context level 2 and W3C Baggage, over HTTP headers and gRPC
//! metadata alike.
//!
//! The parsers are strict where the specification is: a header that breaks a rule starts a new trace instead of
//! joining a wrong one. They never fail a request and do bounded work on hostile input.

mod traceparent;
mod tracestate;
mod received;
mod baggage;
mod metadata;
mod interceptor;

pub(crate) use baggage::joined;
pub use interceptor::{ExtractContext, InContext, InjectContext, context_of, in_context};
pub use metadata::{MetadataExtractor, MetadataInjector};
pub(crate) use received::Caller;

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;

use traceparent::TraceParent;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static BAGGAGE: HeaderName = HeaderName::from_static("baggage");
static TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
static X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// `OWS` (RFC 9110, section 5.6.3).
const WHITE_SPACE: [char; 2] = [' ', '\t'];

/// Which contexts are read from and written to headers.
///
/// By default both: W3C Trace Context level 2 (<https://www.w3.org/TR/trace-context-2/>) and W3C Baggage
/// (<https://www.w3.org/TR/baggage/>). Also a [`TextMapPropagator`], for carriers that are no header map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    trace_context: bool,
    baggage: bool,
}

/// The headers that carry a context, each absent when there is nothing to send.
struct Outgoing {
    traceparent: Option<HeaderValue>,
    tracestate: Option<HeaderValue>,
    baggage: Option<HeaderValue>,
}

// === impl Propagation ===

impl Default for Propagation {
    fn default() -> Self {
        Self { trace_context: true, baggage: true }
    }
}

impl Propagation {
    /// Reads and writes nothing.
    pub const NONE: Self = Self { trace_context: false, baggage: false };

    /// The propagation that the value of `OTEL_PROPAGATORS` asks for, and the names in it that are not known here.
    ///
    /// Known are `tracecontext`, `baggage` and `none`, in any case and any number of times. The others are to be warned
    /// of and are otherwise ignored, so an empty list and one of unknown names only give the default.
    pub fn from_names(names: &str) -> (Self, Vec<String>) {
        let mut chosen = None;
        let mut unknown = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let so_far = chosen.unwrap_or(Self::NONE);
            match name.to_ascii_lowercase().as_str() {
                "tracecontext" => chosen = Some(Self { trace_context: true, ..so_far }),
                "baggage" => chosen = Some(Self { baggage: true, ..so_far }),
                "none" => chosen = Some(so_far),
                _ => unknown.push(name.to_owned()),
            }
        }
        (chosen.unwrap_or_default(), unknown)
    }

    /// `parent` with what `headers` carry: the caller's span as the remote span, its `tracestate` and its baggage.
    ///
    /// What is missing or invalid leaves `parent` as it is. An invalid `traceparent` also discards the `tracestate`, an
    /// invalid `tracestate` only itself (Trace Context, "Processing Model").
    pub fn extract(&self, headers: &HeaderMap, parent: &Context) -> Context {
        self.caller(headers).context(parent)
    }

    /// Writes the context into `headers` in place of what they carried before.
    ///
    /// A header with nothing to send is removed. Only where `cx` has no span at all are `traceparent` and `tracestate`
    /// left alone: there is no trace yet that could replace them.
    pub fn inject(&self, cx: &Context, headers: &mut HeaderMap) {
        let outgoing = self.outgoing(cx);
        if let Some(traceparent) = outgoing.traceparent {
            headers.insert(&TRACEPARENT, traceparent);
            replace(headers, &TRACESTATE, outgoing.tracestate);
        }
        if self.baggage {
            replace(headers, &BAGGAGE, outgoing.baggage);
        }
    }

    /// What `headers` say of the caller, for a server that decides first what of it to believe.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Caller {
        self.read(|name| headers.get_all(name).iter().map(HeaderValue::as_bytes))
    }

    /// Reads what the header lines say that `lines` finds by name.
    fn read<'h, L>(&self, lines: impl Fn(&'static HeaderName) -> L) -> Caller
    where
        L: Iterator<Item = &'h [u8]>,
    {
        let span = if self.trace_context { TraceParent::of_lines(lines(&TRACEPARENT)) } else { None };
        let tracestate = span.and_then(|_| tracestate::combine(lines(&TRACESTATE)));
        let baggage = if self.baggage { baggage::parse(lines(&BAGGAGE)) } else { None };
        Caller::new(span, tracestate, baggage)
    }

    fn outgoing(&self, cx: &Context) -> Outgoing {
        let traceparent = if self.trace_context { traceparent(cx) } else { None };
        let tracestate = traceparent.as_ref().and_then(|_| received::tracestate(cx));
        let baggage = if self.baggage { baggage::format(cx.baggage()) } else { None };
        Outgoing { traceparent, tracestate, baggage }
    }
}

impl TextMapPropagator for Propagation {
    /// Sets what there is to send; an [`Injector`] cannot take back what is stale, [`Propagation::inject`] does.
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let outgoing = self.outgoing(cx);
        let headers =
            [(&TRACEPARENT, outgoing.traceparent), (&TRACESTATE, outgoing.tracestate), (&BAGGAGE, outgoing.baggage)];
        for (name, value) in headers {
            if let Some(Ok(text)) = value.as_ref().map(HeaderValue::to_str) {
                injector.set(name.as_str(), text.to_owned());
            }
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.read(|name| extractor.get_all(name.as_str()).into_iter().flatten().map(str::as_bytes)).context(cx)
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<[String; 3]> =
            LazyLock::new(|| [&TRACEPARENT, &TRACESTATE, &BAGGAGE].map(|name| name.as_str().to_owned()));
        let first = if self.trace_context { 0 } else { 2 };
        let end = if self.baggage { 3 } else { 2 };
        FieldIter::new(&FIELDS[first..end])
    }
}

/// The values of `traceresponse` and `x-trace-id` for an answer given in this context, if it has a span.
///
/// `traceresponse` is the draft of W3C Trace Context, "Trace Context HTTP Response Headers Format", with all its fields;
/// `x-trace-id` is the trace id alone, for people.
pub(crate) fn trace_response(cx: &Context) -> Option<(HeaderValue, HeaderValue)> {
    let current = current(cx)?;
    Some((current.header(), current.trace_id_header()))
}

/// Writes `traceresponse` and `x-trace-id` into the headers of an answer given in this context.
pub(crate) fn answer(cx: &Context, headers: &mut HeaderMap) {
    if let Some((traceresponse, trace_id)) = trace_response(cx) {
        headers.insert(&TRACERESPONSE, traceresponse);
        headers.insert(&X_TRACE_ID, trace_id);
    }
}

/// Writes the `traceparent` alone, and removes what else a context may be carried by: for a peer outside, who may
/// correlate but learns nothing.
pub(crate) fn inject_traceparent(cx: &Context, headers: &mut HeaderMap) {
    replace(headers, &TRACEPARENT, traceparent(cx));
    headers.remove(&TRACESTATE);
    headers.remove(&BAGGAGE);
}

/// The `traceparent` to send. It differs for every call, so it is kept out of HPACK's table of repeated headers.
fn traceparent(cx: &Context) -> Option<HeaderValue> {
    let mut value = current(cx)?.header();
    value.set_sensitive(true);
    Some(value)
}

/// The current span as the parent of what is called from it.
fn current(cx: &Context) -> Option<TraceParent> {
    let span = cx.span();
    let span = span.span_context();
    span.is_valid().then(|| TraceParent {
        trace_id: span.trace_id(),
        span_id: span.span_id(),
        flags: received::flags(cx, span),
    })
}

fn replace(headers: &mut HeaderMap, name: &'static HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}

/// A line without the white space around it, which HTTP/1 strips and gRPC metadata may still have.
fn trim(line: &[u8]) -> &[u8] {
    let text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = line.iter().position(text).unwrap_or(line.len());
    let end = line.iter().rposition(text).map_or(start, |last| last + 1);
    &line[start..end]
}

#[cfg(test)]
mod tests;
