//! What a body takes in memory once it is decoded, told before it is decoded.
//!
//! An empty span is two bytes of protobuf and a hundred times as much in memory, so 64 MiB could become 8 GiB, and
//! gzip makes 60 KB of that. Honest bodies grow about fivefold.

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};

/// How many bytes a decoded request may take, list elements counted.
const MAX_EXPANDED: usize = 512 * 1024 * 1024;

/// How deep protobuf may be nested; the decoder refuses what is deeper.
const MAX_DEPTH: usize = 100;

/// A protobuf message: its fields that are messages, each with what one more of it takes in memory.
pub(crate) struct Shape(&'static [(u64, usize, &'static Shape)]);

pub(crate) static TRACES: Shape = Shape(&[(1, size_of::<ResourceSpans>(), &RESOURCE_SPANS)]);
static RESOURCE_SPANS: Shape = Shape(&[(1, 0, &RESOURCE), (2, size_of::<ScopeSpans>(), &SCOPE_SPANS)]);
static SCOPE_SPANS: Shape = Shape(&[(1, 0, &SCOPE), (2, size_of::<Span>(), &SPAN)]);
static SPAN: Shape = Shape(&[
    (9, size_of::<KeyValue>(), &KEY_VALUE),
    (11, size_of::<span::Event>(), &EVENT),
    (13, size_of::<span::Link>(), &LINK),
]);
static EVENT: Shape = Shape(&[(3, size_of::<KeyValue>(), &KEY_VALUE)]);
static LINK: Shape = Shape(&[(4, size_of::<KeyValue>(), &KEY_VALUE)]);

pub(crate) static LOGS: Shape = Shape(&[(1, size_of::<ResourceLogs>(), &RESOURCE_LOGS)]);
static RESOURCE_LOGS: Shape = Shape(&[(1, 0, &RESOURCE), (2, size_of::<ScopeLogs>(), &SCOPE_LOGS)]);
static SCOPE_LOGS: Shape = Shape(&[(1, 0, &SCOPE), (2, size_of::<LogRecord>(), &LOG_RECORD)]);
static LOG_RECORD: Shape = Shape(&[(5, 0, &ANY_VALUE), (6, size_of::<KeyValue>(), &KEY_VALUE)]);

pub(crate) static METRICS: Shape = Shape(&[(1, size_of::<metrics::ResourceMetrics>(), &RESOURCE_METRICS)]);
static RESOURCE_METRICS: Shape = Shape(&[(1, 0, &RESOURCE), (2, size_of::<metrics::ScopeMetrics>(), &SCOPE_METRICS)]);
static SCOPE_METRICS: Shape = Shape(&[(1, 0, &SCOPE), (2, size_of::<metrics::Metric>(), &METRIC)]);
static METRIC: Shape = Shape(&[
    (5, 0, &NUMBERS),
    (7, 0, &NUMBERS),
    (9, 0, &HISTOGRAM),
    (10, 0, &EXPONENTIAL_HISTOGRAM),
    (11, 0, &SUMMARY),
    (12, size_of::<KeyValue>(), &KEY_VALUE),
]);
static NUMBERS: Shape = Shape(&[(1, size_of::<metrics::NumberDataPoint>(), &NUMBER)]);
static NUMBER: Shape = Shape(&[(5, size_of::<metrics::Exemplar>(), &EXEMPLAR), (7, size_of::<KeyValue>(), &KEY_VALUE)]);
static HISTOGRAM: Shape = Shape(&[(1, size_of::<metrics::HistogramDataPoint>(), &HISTOGRAM_POINT)]);
static HISTOGRAM_POINT: Shape =
    Shape(&[(8, size_of::<metrics::Exemplar>(), &EXEMPLAR), (9, size_of::<KeyValue>(), &KEY_VALUE)]);
static EXPONENTIAL_HISTOGRAM: Shape =
    Shape(&[(1, size_of::<metrics::ExponentialHistogramDataPoint>(), &EXPONENTIAL_POINT)]);
static EXPONENTIAL_POINT: Shape =
    Shape(&[(1, size_of::<KeyValue>(), &KEY_VALUE), (11, size_of::<metrics::Exemplar>(), &EXEMPLAR)]);
static SUMMARY: Shape = Shape(&[(1, size_of::<metrics::SummaryDataPoint>(), &SUMMARY_POINT)]);
static SUMMARY_POINT: Shape = Shape(&[
    (6, size_of::<metrics::summary_data_point::ValueAtQuantile>(), &PLAIN),
    (7, size_of::<KeyValue>(), &KEY_VALUE),
]);
static EXEMPLAR: Shape = Shape(&[(7, size_of::<KeyValue>(), &KEY_VALUE)]);

static RESOURCE: Shape = Shape(&[(1, size_of::<KeyValue>(), &KEY_VALUE), (3, size_of::<EntityRef>(), &PLAIN)]);
static SCOPE: Shape = Shape(&[(3, size_of::<KeyValue>(), &KEY_VALUE)]);
static KEY_VALUE: Shape = Shape(&[(2, 0, &ANY_VALUE)]);
static ANY_VALUE: Shape = Shape(&[(5, 0, &ARRAY), (6, 0, &KEY_VALUE_LIST)]);
static ARRAY: Shape = Shape(&[(1, size_of::<AnyValue>(), &ANY_VALUE)]);
static KEY_VALUE_LIST: Shape = Shape(&[(1, size_of::<KeyValue>(), &KEY_VALUE)]);
static PLAIN: Shape = Shape(&[]);

/// Whether the message of `shape` that `wire` holds stays within bounds once decoded.
///
/// What is malformed counts as far as it can be read: it is for the decoder to refuse.
pub(super) fn is_bounded_protobuf(shape: &Shape, wire: &[u8]) -> bool {
    weigh(shape, wire, 0) <= MAX_EXPANDED
}

/// Whether `json` stays within bounds once decoded. Anything in brackets might be as large as a span.
pub(super) fn is_bounded_json(json: &[u8]) -> bool {
    let (mut brackets, mut in_string) = (0, false);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => drop(bytes.next()),
            b'{' | b'[' if !in_string => brackets += 1,
            _ => {}
        }
    }
    brackets * size_of::<Span>() <= MAX_EXPANDED
}

fn weigh(Shape(fields): &Shape, mut wire: &[u8], depth: usize) -> usize {
    let mut weight = 0;
    while let Some((number, payload)) = next_field(&mut wire) {
        let Some((_, size, shape)) = fields.iter().find(|(field, ..)| *field == number) else { continue };
        weight += size;
        if depth < MAX_DEPTH {
            weight += weigh(shape, payload, depth + 1);
        }
    }
    weight
}

/// The number and the bytes of the next field in `wire`; no bytes for one that is only a number.
fn next_field<'a>(wire: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let key = varint(wire)?;
    let payload = match key & 7 {
        0 => varint(wire).map(|_| &wire[..0]),
        1 => wire.split_off(..8),
        2 => varint(wire).and_then(|length| wire.split_off(..usize::try_from(length).ok()?)),
        5 => wire.split_off(..4),
        _ => None,
    };
    Some((key >> 3, payload?))
}

fn varint(wire: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *wire.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
