//! Where text stands in a span or a log record, so that what was sent and what is held can be laid side by side.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::json::list;
use crate::otlp::any;

/// Text by the name of the place where it stands.
pub(super) type Places = BTreeMap<String, String>;

/// The places of `{"resourceSpans": [...]}`; meant for one span.
pub(super) fn of_spans(document: &Value) -> Places {
    let mut places = Places::new();
    for resource in list(&document["resourceSpans"]) {
        places.extend(attributes("resource, ", &resource["resource"]["attributes"]));
        for span in list(&resource["scopeSpans"]).iter().flat_map(|scope| list(&scope["spans"])) {
            places.extend(attributes("", &span["attributes"]));
            let own =
                [("name", &span["name"]), ("status", &span["status"]["message"]), ("trace state", &span["traceState"])];
            places.extend(own.into_iter().filter_map(named));
            places.extend(list(&span["events"]).iter().flat_map(|event| attributes("event, ", &event["attributes"])));
        }
    }
    places
}

/// The places of `{"resourceLogs": [...]}`, as Loki names them. A body that is no text is left out.
pub(super) fn of_log_records(document: &Value) -> Places {
    let mut places = Places::new();
    for resource in list(&document["resourceLogs"]) {
        for record in list(&resource["scopeLogs"]).iter().flat_map(|scope| list(&scope["logRecords"])) {
            let own = [(LINE, &record["body"]["stringValue"]), ("severity_text", &record["severityText"])];
            places.extend(own.into_iter().filter_map(named));
            places.extend(attributes("", &record["attributes"]).map(|(key, text)| (label(&key), text)));
        }
    }
    places
}

/// The places of Loki's streams: labels, and the line. A line that was no text is left out.
pub(super) fn of_streams(streams: &[Value]) -> Places {
    let mut places = Places::new();
    for stream in streams {
        let labels = stream["stream"].as_object().into_iter().flatten();
        places.extend(labels.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))));
        let lines = list(&stream["values"]).iter().filter_map(|value| value[1].as_str());
        places.extend(lines.filter(|line| !line.starts_with('{')).map(|line| (LINE.to_owned(), line.to_owned())));
    }
    places
}

/// What Loki calls the body of a log record.
const LINE: &str = "line";

/// A place of its own, if there is text.
fn named((place, text): (&str, &Value)) -> Option<(String, String)> {
    Some((place.to_owned(), text.as_str()?.to_owned()))
}

/// An attribute's name as one of Loki's labels.
fn label(key: &str) -> String {
    key.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

fn attributes<'a>(prefix: &'a str, pairs: &'a Value) -> impl Iterator<Item = (String, String)> + 'a {
    let key = move |pair: &Value| format!("{prefix}{}", pair["key"].as_str().unwrap_or_default());
    list(pairs).iter().map(move |pair| (key(pair), text(&pair["value"])))
}

/// An `AnyValue`: of a list, the texts in it.
fn text(value: &Value) -> String {
    match &value["arrayValue"]["values"] {
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        _ => any(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::probe::Probe;

    fn places(pairs: &[(&str, &str)]) -> Places {
        pairs.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_spans_places_are_its_name_attributes_events_status_state_and_resource() {
        let text = |key: &str, text: &str| json!([{"key": key, "value": {"stringValue": text}}]);
        let list =
            json!([{"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}}]);
        let event = json!({"name": "note", "attributes": list});
        let status = json!({"message": "failed"});
        let span = json!({"name": "login", "attributes": text("card", "1"), "events": [event], "status": status,
            "traceState": "a=b"});
        let document = json!({"resourceSpans": [{
            "resource": {"attributes": text("host", "h")},
            "scopeSpans": [{"spans": [span]}],
        }]});
        let told =
            [("card", "1"), ("event, list", "a, b"), ("name", "login"), ("resource, host", "h"), ("status", "failed")];
        assert_eq!(of_spans(&document), places(&[&told[..], &[("trace state", "a=b")]].concat()));
    }

    #[test]
    fn a_log_record_and_lokis_stream_of_it_have_the_same_places() {
        let sent = of_log_records(&Probe::new().logs());
        assert!(
            ["line", "card_number", "user_email", "severity_text"].iter().all(|place| sent.contains_key(*place)),
            "{sent:?}"
        );
        let stream = json!({"stream": {"card_number": "****"}, "values": [["1", "{}"], ["2", "login"]]});
        assert_eq!(of_streams(&[stream]), places(&[("card_number", "****"), ("line", "login")]));
    }

    #[test]
    fn nonsense_has_no_places() {
        assert!(
            of_spans(&json!([])).is_empty()
                && of_log_records(&Value::Null).is_empty()
                && of_streams(&[json!(1)]).is_empty()
        );
    }
}
