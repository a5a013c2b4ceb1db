//! Reads OTLP JSON as the embedded collector and Jaeger answer it. What is absent or of an unexpected type reads as its
//! default: a trace is shown as far as it can be read.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::json::{list, text};
use crate::trace::{Kind, Log, Span};

/// The spans of each trace of `{"resourceSpans": [...]}`, by its id; a span that was sent twice is read once.
pub(crate) fn traces(document: &Value) -> BTreeMap<String, Vec<Span>> {
    let mut ids = HashSet::new();
    let mut traces: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (trace, span) in read(document) {
        if ids.insert((trace.clone(), span.id.clone())) {
            traces.entry(trace).or_default().push(span);
        }
    }
    traces
}

/// Each span with the id of its trace.
fn read(document: &Value) -> impl Iterator<Item = (String, Span)> {
    list(&document["resourceSpans"]).iter().flat_map(|resource| {
        let service = service_name(resource);
        let spans = list(&resource["scopeSpans"]).iter().flat_map(|scope| list(&scope["spans"]));
        spans.map(move |span| (id(&span["traceId"]), read_span(&service, span)))
    })
}

/// The log records of `{"resourceLogs": [...]}`.
pub(crate) fn logs(document: &Value) -> Vec<Log> {
    let resources = list(&document["resourceLogs"]).iter();
    let scopes = resources.flat_map(|resource| list(&resource["scopeLogs"]));
    scopes.flat_map(|scope| list(&scope["logRecords"])).map(read_log).collect()
}

fn read_span(service: &str, span: &Value) -> Span {
    let id = id(&span["spanId"]);
    Span {
        service: service.to_owned(),
        parent: Some(self::id(&span["parentSpanId"])).filter(|parent| !parent.is_empty()),
        name: text(&span["name"]),
        kind: Kind::from_number(enumeration(&span["kind"], &SPAN_KINDS)),
        start: time(&span["startTimeUnixNano"]),
        end: time(&span["endTimeUnixNano"]),
        failed: enumeration(&span["status"]["code"], &STATUS_CODES) == 2,
        attributes: attributes(&span["attributes"]),
        events: list(&span["events"]).iter().map(|event| read_event(&id, event)).collect(),
        id,
    }
}

fn read_event(span: &str, event: &Value) -> Log {
    let mut attributes = attributes(&event["attributes"]);
    let exception =
        attributes.remove("exception.message").map(|message| format!("{}: {message}", text(&event["name"])));
    Log {
        span: span.to_owned(),
        time: time(&event["timeUnixNano"]),
        level: attributes.remove("level").unwrap_or_default(),
        message: exception.unwrap_or_else(|| text(&event["name"])),
    }
}

fn read_log(record: &Value) -> Log {
    Log {
        span: id(&record["spanId"]),
        time: time(&record["timeUnixNano"]).max(time(&record["observedTimeUnixNano"])),
        level: text(&record["severityText"]),
        message: any(&record["body"]),
    }
}

fn service_name(resource: &Value) -> String {
    attributes(&resource["resource"]["attributes"]).remove("service.name").unwrap_or_else(|| "unknown".to_owned())
}

fn attributes(pairs: &Value) -> BTreeMap<String, String> {
    list(pairs).iter().map(|pair| (text(&pair["key"]), any(&pair["value"]))).collect()
}

/// An `AnyValue`: its text, or JSON where it has parts.
pub(crate) fn any(value: &Value) -> String {
    match value.as_object().and_then(|fields| fields.values().next()) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
const STATUS_CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// OTLP JSON writes enumerations as numbers; protobuf's own mapping writes their names.
fn enumeration(value: &Value, names: &[&str]) -> i64 {
    let position =
        |name| names.iter().position(|known| *known == name).and_then(|position| i64::try_from(position).ok());
    value.as_i64().or_else(|| value.as_str().and_then(position)).unwrap_or_default()
}

/// 64-bit numbers are strings in protobuf's JSON; some writers use numbers all the same.
fn time(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

/// An id in hex. All zeros is how some writers spell "none"; one in base64, as protobuf's own mapping has it, is told by
/// its padding.
fn id(value: &Value) -> String {
    let text = text(value);
    let id = text.strip_suffix('=').map_or_else(|| text.to_ascii_lowercase(), hex);
    if id.bytes().all(|digit| digit == b'0') { String::new() } else { id }
}

const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes that digits of base64 stand for; the bits of the last digit that fill no byte are none of them.
fn hex(base64: &str) -> String {
    let (mut hex, mut bits, mut held) = (String::new(), 0, 0);
    for digit in base64.chars().filter_map(|digit| BASE64.find(digit)) {
        (bits, held) = ((bits << 6 | digit) & 0xfff, held + 6);
        while held >= 4 {
            held -= 4;
            hex.push_str(&format!("{:x}", bits >> held & 0xf));
        }
    }
    hex.truncate(hex.len() & !1);
    hex
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spans(document: &Value) -> Vec<Span> {
        traces(document).into_values().flatten().collect()
    }

    fn one(span: Value) -> Vec<Span> {
        let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "order"}}]});
        spans(&json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}))
    }

    #[test]
    fn a_span_reads_the_same_whether_numbers_are_strings_or_enumerations_names() {
        let plain = json!({"spanId": "00F067AA0BA902B7", "kind": 2, "startTimeUnixNano": 7, "status": {"code": 2}});
        let named = json!({"spanId": "00f067aa0ba902b7", "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": "7",
            "status": {"code": "STATUS_CODE_ERROR"}, "parentSpanId": ""});
        for span in [plain, named].map(|span| one(span).remove(0)) {
            assert_eq!((span.service.as_str(), span.id.as_str()), ("order", "00f067aa0ba902b7"));
            assert_eq!((span.parent, span.kind, span.start, span.failed), (None, Kind::Server, 7, true));
        }
    }

    #[test]
    fn an_id_reads_the_same_in_hex_and_in_base64() {
        assert_eq!(one(json!({"spanId": "APBnqgupArc="}))[0].id, "00f067aa0ba902b7");
        assert_eq!(one(json!({"spanId": "/////////+8="}))[0].id, "ffffffffffffffef");
        assert_eq!(one(json!({"spanId": "1", "parentSpanId": "AAAAAAAAAAA="}))[0].parent, None);
        assert_eq!(id(&json!("S/kvNXezTaajzpKdDg5HNg==")), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn spans_are_told_apart_by_their_trace() {
        let spans = json!([{"traceId": "A1", "spanId": "1"}, {"traceId": "b2", "spanId": "1"}]);
        let traces = traces(&json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}));
        assert_eq!(traces.keys().collect::<Vec<_>>(), ["a1", "b2"]);
    }

    #[test]
    fn attributes_of_every_type_become_text() {
        let value = |value: Value| {
            one(json!({"spanId": "1", "attributes": [{"key": "k", "value": value}]}))[0].attributes["k"].clone()
        };
        assert_eq!(value(json!({"stringValue": "tea"})), "tea");
        assert_eq!(value(json!({"intValue": "4200"})), "4200");
        assert_eq!(value(json!({"boolValue": true})), "true");
        assert_eq!(value(json!({"arrayValue": {"values": []}})), r#"{"values":[]}"#);
    }

    #[test]
    fn a_span_sent_twice_is_read_once() {
        let span = json!({"spanId": "1"});
        let document = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span, span]}]}]});
        assert_eq!(spans(&document).len(), 1);
    }

    #[test]
    fn nonsense_reads_as_nothing() {
        assert!(spans(&json!({"resourceSpans": "none"})).is_empty());
        assert!(spans(&json!([1, 2])).is_empty());
        assert!(logs(&Value::Null).is_empty());
    }

    #[test]
    fn a_log_record_keeps_level_message_and_span() {
        let record =
            json!({"spanId": "a1", "timeUnixNano": "5", "severityText": "WARN", "body": {"stringValue": "late"}});
        let logs = logs(&json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}));
        let log = logs.first().unwrap();
        assert_eq!((log.span.as_str(), log.time, log.level.as_str(), log.message.as_str()), ("a1", 5, "WARN", "late"));
    }
}
