use opentelemetry::{Array, KeyValue, StringValue, Value};
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

// === impl Limits ===

impl Limits {
    /// Those that the environment asks for.
    pub(crate) fn of(environment: &Environment) -> Self {
        let length = |name: &str| {
            let length = environment.get(name)?.parse().ok();
            if length.is_none() {
                environment.warn(name, "is not a whole number of at least 0, ignored");
            }
            length
        };
        let general = length("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let value_length = length("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT").or(general);
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

#[cfg(test)]
mod tests {
    use super::*;

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
