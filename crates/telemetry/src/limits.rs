use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::trace::SpanData;

use crate::attributes::{is_longer, last_of_each, truncated};
use crate::environment::Environment;
use crate::semconv;

const EXCEPTION_SIGNALS: &str = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN";

/// What of an ended span may leave: the SDK cuts no value, keeps every value that was set of one key, and knows one way
/// to tell of exceptions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest text of an attribute, in characters (OpenTelemetry specification, "Attribute Limits").
    value_length: Option<usize>,
    /// Whether exceptions are events of spans, beside log records.
    exception_events: bool,
}

/// What of a log record may leave: the SDK has no limits for them (OpenTelemetry specification, "LogRecord Limits").
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// How many attributes.
    count: usize,
    /// The longest text of one, in characters.
    value_length: Option<usize>,
}

// === impl Limits ===

impl Limits {
    /// Those that the environment asks for.
    pub(crate) fn of(environment: &Environment) -> Self {
        let value_length = value_length(environment, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        Self { value_length, exception_events: exception_events(environment) }
    }

    /// Cuts what must not leave off the span.
    pub(crate) fn apply(&self, span: &mut SpanData) {
        last_of_each(&mut span.attributes);
        if !self.exception_events {
            span.events.events.retain(|event| !is_exception(&event.attributes));
        }
        let Some(length) = self.value_length else { return };
        let of_events = span.events.events.iter_mut().flat_map(|event| &mut event.attributes);
        let of_links = span.links.links.iter_mut().flat_map(|link| &mut link.attributes);
        for attribute in span.attributes.iter_mut().chain(of_events).chain(of_links) {
            cut(&mut attribute.value, length);
        }
    }
}

// === impl LogLimits ===

impl LogLimits {
    /// Those that the environment asks for.
    pub(crate) fn of(environment: &Environment) -> Self {
        let general = environment.number("OTEL_ATTRIBUTE_COUNT_LIMIT", 0, 128);
        let count = environment.number("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", 0, general);
        Self {
            count: usize::try_from(count).unwrap_or(usize::MAX),
            value_length: value_length(environment, "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        }
    }

    /// Cuts what must not leave off the record; its body is no attribute and stays whole.
    pub(crate) fn apply(&self, record: &mut LogRecord) {
        let excess = record.attributes.len().saturating_sub(self.count);
        record.attributes.truncate(self.count);
        record.dropped_attributes_count += u32::try_from(excess).unwrap_or(u32::MAX);
        let Some(length) = self.value_length else { return };
        for value in record.attributes.iter_mut().filter_map(|attribute| attribute.value.as_mut()) {
            cut_any(value, length);
        }
    }
}

/// The longest value of an attribute: by its own variable, else by the general one.
fn value_length(environment: &Environment, own: &str) -> Option<usize> {
    let length = |name: &str| {
        let length = environment.get(name)?.parse().ok();
        if length.is_none() {
            environment.warn(name, "is not a whole number of at least 0, ignored");
        }
        length
    };
    let general = length("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
    length(own).or(general)
}

/// Unless the list says `logs` and not `logs/dup` (semantic conventions, `docs/exceptions/README.md`).
fn exception_events(environment: &Environment) -> bool {
    let mut names = environment.get(EXCEPTION_SIGNALS).unwrap_or_default().split(',').map(str::trim);
    let listed: Vec<_> = names.by_ref().filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect();
    if listed.iter().any(|name| name != "logs" && name != "logs/dup") {
        environment.warn(EXCEPTION_SIGNALS, "names something else than `logs` and `logs/dup`, which is ignored");
    }
    let has = |wanted: &str| listed.iter().any(|name| name == wanted);
    has("logs/dup") || !has("logs")
}

fn is_exception(attributes: &[KeyValue]) -> bool {
    let keys = [semconv::EXCEPTION_MESSAGE, semconv::EXCEPTION_TYPE];
    attributes.iter().any(|attribute| keys.contains(&attribute.key.as_str()))
}

fn cut(value: &mut Value, length: usize) {
    let shorter = |text: &mut StringValue| {
        if is_longer(text.as_str(), length) {
            *text = truncated(text.as_str(), length).to_owned().into();
        }
    };
    match value {
        Value::String(text) => shorter(text),
        Value::Array(Array::String(texts)) => texts.iter_mut().for_each(shorter),
        _ => {}
    }
}

/// Cuts texts by characters and bytes by bytes, also those in lists and maps.
fn cut_any(value: &mut AnyValue, length: usize) {
    match &mut value.value {
        Some(any_value::Value::StringValue(text)) => text.truncate(truncated(text, length).len()),
        Some(any_value::Value::BytesValue(bytes)) => bytes.truncate(length),
        Some(any_value::Value::ArrayValue(list)) => list.values.iter_mut().for_each(|value| cut_any(value, length)),
        Some(any_value::Value::KvlistValue(map)) => {
            map.values.iter_mut().filter_map(|entry| entry.value.as_mut()).for_each(|value| cut_any(value, length));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue};

    use super::*;

    #[test]
    fn log_records_have_limits_of_their_own_before_the_general_ones() {
        let text = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
        let values = vec![text("änderung"), text("ok")];
        let list = AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) };
        let named = |key: &str, value| KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() };
        let attributes = vec![named("list", list), named("text", text("long")), named("more", text("x"))];
        let logged = LogRecord { body: Some(text("the body")), attributes, ..LogRecord::default() };
        let cut = |variables: &[(&str, &str)]| {
            let mut record = logged.clone();
            LogLimits::of(&variables.iter().copied().collect()).apply(&mut record);
            record
        };
        assert_eq!(cut(&[]), logged);
        let general = [("OTEL_ATTRIBUTE_COUNT_LIMIT", "1"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100")];
        let one = cut(&general);
        assert_eq!((one.attributes.len(), one.dropped_attributes_count), (1, 2));
        let own = [("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "2"), ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2")];
        let two = cut(&[general[0], general[1], own[0], own[1]]);
        let values = vec![text("än"), text("ok")];
        let list = AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) };
        assert_eq!(two.attributes, [named("list", list), named("text", text("lo"))]);
        assert_eq!((two.body, two.dropped_attributes_count), (logged.body, 1));
    }

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: (Option<usize>, bool), warnings: usize) {
        let environment: Environment = variables.iter().copied().collect();
        let limits = Limits::of(&environment);
        assert_eq!((limits.value_length, limits.exception_events), expected, "{variables:?}");
        assert_eq!(environment.take_warnings().len(), warnings, "{variables:?}");
    }

    #[test]
    fn a_spans_own_length_goes_before_the_general_one() {
        let (general, own) = ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        check(&[], (None, true), 0);
        check(&[(general, "7")], (Some(7), true), 0);
        check(&[(general, "7"), (own, "0")], (Some(0), true), 0);
        check(&[(general, "7"), (own, "-1")], (Some(7), true), 1);
        check(&[(general, "many"), (own, "1.5")], (None, true), 2);
    }

    #[test]
    fn exceptions_are_span_events_unless_logs_are_asked_for() {
        check(&[(EXCEPTION_SIGNALS, "logs")], (None, false), 0);
        check(&[(EXCEPTION_SIGNALS, "Logs")], (None, false), 0);
        check(&[(EXCEPTION_SIGNALS, "logs/dup")], (None, true), 0);
        check(&[(EXCEPTION_SIGNALS, "logs, logs/dup")], (None, true), 0);
        check(&[(EXCEPTION_SIGNALS, "logs,traces")], (None, false), 1);
        check(&[(EXCEPTION_SIGNALS, "yes")], (None, true), 1);
    }

    #[test]
    fn texts_are_cut_between_characters_and_numbers_left() {
        let cut_to = |value: Value| {
            let mut value = value;
            cut(&mut value, 3);
            value
        };
        assert_eq!(cut_to("äöüß".into()), "äöü".into());
        assert_eq!(cut_to("äöü".into()), "äöü".into());
        assert_eq!(cut_to(12_345_i64.into()), 12_345_i64.into());
        let texts = |texts: [&'static str; 2]| Value::Array(Array::String(texts.map(StringValue::from).to_vec()));
        assert_eq!(cut_to(texts(["long", "ok"])), texts(["lon", "ok"]));
    }
}
