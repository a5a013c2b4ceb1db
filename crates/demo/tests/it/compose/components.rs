//! The components of a Collector: each that a pipeline names is defined, each that is defined is used.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, text, texts};
use crate::compose::{Faults, assert_sound, collectors};

/// A component's type: what stands before the name.
pub(super) fn kind(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

/// The components of a pipeline in one of its places: `receivers`, `processors` or `exporters`.
pub(super) fn of_pipelines<'a>(configuration: &'a Value, place: &str) -> BTreeSet<&'a str> {
    entries(&configuration["service"]["pipelines"]).flat_map(|(_, pipeline)| texts(&pipeline[place])).collect()
}

fn defined<'a>(configuration: &'a Value, section: &str) -> BTreeSet<&'a str> {
    entries(&configuration[section]).map(|(id, _)| id).collect()
}

fn faults(configuration: &Value) -> Faults {
    let defined = |section| defined(configuration, section);
    let used = |place| of_pipelines(configuration, place);
    let connectors = defined("connectors");
    let mut faults = Faults::new();
    let mut demand_equal = |what: &str, defined: BTreeSet<&str>, used: BTreeSet<&str>| {
        faults.extend(used.difference(&defined).map(|id| format!("the {what} {id} is not defined")));
        faults.extend(defined.difference(&used).map(|id| format!("nothing uses the {what} {id}")));
    };
    demand_equal("receiver", defined("receivers"), &used("receivers") - &connectors);
    demand_equal("processor", defined("processors"), used("processors"));
    demand_equal("exporter", defined("exporters"), &used("exporters") - &connectors);
    demand_equal("extension", defined("extensions"), texts(&configuration["service"]["extensions"]).collect());
    // A connector is an exporter of one pipeline and a receiver of another.
    let both = &used("receivers") & &used("exporters");
    demand_equal("connector", connectors.clone(), &both & &connectors);
    for (id, exporter) in entries(&configuration["exporters"]) {
        for path in ["/sending_queue/storage", "/auth/authenticator"] {
            let named = exporter.pointer(path).map(text).unwrap_or_default();
            if !named.is_empty() && configuration["extensions"].get(named).is_none() {
                faults.push(format!("{id}: there is no extension {named}"));
            }
        }
    }
    faults
}

#[test]
fn every_component_is_defined_and_used() {
    for (name, configuration) in collectors() {
        assert_sound(&name, &faults(&configuration));
    }
}

#[test]
fn a_component_that_is_missing_or_idle_is_found() {
    let sound = "
receivers: {otlp: {}}
processors: {memory_limiter: {}}
connectors: {forward/kept: {}}
exporters: {otlp_grpc/jaeger: {sending_queue: {storage: file_storage}}}
extensions: {file_storage: {}}
service:
  extensions: [file_storage]
  pipelines:
    traces/in: {receivers: [otlp], processors: [memory_limiter], exporters: [forward/kept]}
    traces/out: {receivers: [forward/kept], exporters: [otlp_grpc/jaeger]}
";
    assert_finds(
        faults,
        sound,
        &[
            ("receivers: {otlp: {}}", "", "the receiver otlp is not defined"),
            ("receivers: {otlp: {}}", "receivers: {otlp: {}, zipkin: {}}", "nothing uses the receiver zipkin"),
            ("processors: {memory_limiter: {}}", "", "the processor memory_limiter is not defined"),
            ("processors: [memory_limiter], ", "", "nothing uses the processor memory_limiter"),
            (
                "exporters: [otlp_grpc/jaeger]",
                "exporters: [otlp_grpc/jaeger, debug]",
                "the exporter debug is not defined",
            ),
            ("exporters: {otlp", "exporters: {debug: {}, otlp", "nothing uses the exporter debug"),
            ("forward/kept: {}", "forward/kept: {}, span_metrics: {}", "nothing uses the connector span_metrics"),
            ("receivers: [forward/kept]", "receivers: [otlp]", "nothing uses the connector forward/kept"),
            ("exporters: [forward/kept]", "exporters: [otlp_grpc/jaeger]", "nothing uses the connector forward/kept"),
            ("extensions: {file", "extensions: {pprof: {}, file", "nothing uses the extension pprof"),
            (
                "storage: file_storage",
                "storage: file_storage/queue",
                "otlp_grpc/jaeger: there is no extension file_storage/queue",
            ),
        ],
    );
}
