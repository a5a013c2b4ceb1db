//! What takes secrets out is the same everywhere: the files that hold it may not drift apart.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compose::components::kind;
use crate::compose::document::{assert_finds, entries, texts, yaml};
use crate::compose::pipelines::{hands_on, is_entrance, is_jaeger};
use crate::compose::{Faults, assert_sound, collectors};

/// The file that the others are compared with.
const FIRST: &str = "otelcol.yaml";

/// The processors that change what is in a span or a record.
const CLEANING: [&str; 3] = ["attributes", "transform", "redaction"];

/// The cleaning processors of the pipelines that services send to, in their order, by signal.
fn cleaning(configuration: &Value) -> BTreeMap<&str, Vec<(&str, &Value)>> {
    let entrances = entries(&configuration["service"]["pipelines"])
        .filter(|(_, pipeline)| is_entrance(pipeline) && !hands_on(pipeline));
    let of_signals = entrances.map(|(name, pipeline)| {
        let processors = texts(&pipeline["processors"]).filter(|id| CLEANING.contains(&kind(id)));
        (kind(name), processors.map(|id| (id, &configuration["processors"][id])).collect())
    });
    of_signals.collect()
}

/// Where a configuration cleans a signal otherwise than the first one does.
fn drift(first: &Value, other: &Value) -> Faults {
    let first = cleaning(first);
    let mut faults = Faults::new();
    for (signal, processors) in cleaning(other) {
        let expected = first.get(signal).map(Vec::as_slice).unwrap_or_default();
        let names = |processors: &[(&str, &Value)]| processors.iter().map(|(id, _)| *id).collect::<Vec<_>>().join(", ");
        if names(&processors) != names(expected) {
            faults.push(format!("{signal}: {} instead of {}", names(&processors), names(expected)));
            continue;
        }
        let different = processors.iter().zip(expected).filter(|(one, other)| one != other);
        faults.extend(different.map(|((id, _), _)| format!("{signal}: {id} is another one")));
    }
    faults
}

#[test]
fn every_collector_redacts_as_the_first_one_does() {
    let collectors = collectors();
    let others = collectors.iter().filter(|(_, configuration)| !is_jaeger(configuration));
    for (name, configuration) in others {
        assert_sound(name, &drift(&collectors[FIRST], configuration));
    }
}

#[test]
fn a_drift_is_found() {
    let sound = "
processors:
  attributes: {actions: [{key: user.email, action: delete}]}
  redaction: {blocked_values: [secret]}
  transform/more: {}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, attributes, redaction], exporters: [a]}
    traces/out: {receivers: [forward], processors: [transform/more], exporters: [b]}
";
    let first = yaml(sound);
    assert_finds(
        |other| drift(&first, other),
        sound,
        &[
            ("[secret]", "[secrets]", "traces: redaction is another one"),
            (
                "attributes, redaction]",
                "redaction, attributes]",
                "traces: redaction, attributes instead of attributes, redaction",
            ),
            ("attributes, redaction]", "redaction]", "traces: redaction instead of attributes, redaction"),
            (
                "redaction]",
                "redaction, transform/more]",
                "traces: attributes, redaction, transform/more instead of attributes, redaction",
            ),
        ],
    );
    assert_eq!(drift(&first, &yaml(&sound.replace("memory_limiter, ", ""))), [""; 0]);
}
