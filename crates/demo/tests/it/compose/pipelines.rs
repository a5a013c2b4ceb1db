//! The order of things in a Collector: `memory_limiter` first, secrets out before anything leaves, spans counted before
//! traces are sampled.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::components::{kind, of_pipelines};
use crate::compose::document::{assert_finds, entries, text, texts};
use crate::compose::{Faults, assert_sound, collectors};

/// What counts spans.
const COUNTING: [&str; 2] = ["span_metrics", "service_graph"];

/// Whether it is Jaeger: it stores what a Collector has cleaned and sampled already.
pub(super) fn is_jaeger(configuration: &Value) -> bool {
    configuration["extensions"]["jaeger_storage"].is_object()
}

/// Whether a pipeline gets what services send.
pub(super) fn is_entrance(pipeline: &Value) -> bool {
    texts(&pipeline["receivers"]).any(|id| kind(id) == "otlp")
}

/// Whether a pipeline only hands on to another of our Collectors, which then does what is to be done.
pub(super) fn hands_on(pipeline: &Value) -> bool {
    texts(&pipeline["exporters"]).all(|id| kind(id) == "load_balancing")
}

/// The pipelines that get what this one sends, and those that get what they send.
fn downstream<'a>(configuration: &'a Value, name: &'a str) -> BTreeSet<&'a str> {
    let pipelines = &configuration["service"]["pipelines"];
    let (mut found, mut open) = (BTreeSet::new(), vec![name]);
    while let Some(name) = open.pop() {
        let sent: BTreeSet<_> = texts(&pipelines[name]["exporters"]).collect();
        for (next, pipeline) in entries(pipelines) {
            if texts(&pipeline["receivers"]).any(|id| sent.contains(id)) && found.insert(next) {
                open.push(next);
            }
        }
    }
    found
}

fn faults(configuration: &Value) -> Faults {
    let mut faults = Faults::new();
    for (name, pipeline) in entries(&configuration["service"]["pipelines"]) {
        let processors: Vec<_> = texts(&pipeline["processors"]).map(kind).collect();
        if is_entrance(pipeline) && processors.first() != Some(&"memory_limiter") {
            faults.push(format!("{name}: memory_limiter is not the first"));
        }
        if is_entrance(pipeline) && !hands_on(pipeline) {
            if !processors.contains(&"redaction") {
                faults.push(format!("{name}: nothing redacts what it sends on"));
            }
            if !tells_the_deployment(configuration, pipeline) {
                faults.push(format!("{name}: deployment.environment.name is not set"));
            }
        }
        let sampled = processors.iter().position(|kind| *kind == "tail_sampling");
        if sampled.is_some_and(|at| at + 1 != processors.len()) {
            faults.push(format!("{name}: something comes after tail_sampling"));
        }
        if sampled.is_some() {
            faults.extend(counted_late(configuration, name));
        }
    }
    faults
}

fn tells_the_deployment(configuration: &Value, pipeline: &Value) -> bool {
    texts(&pipeline["processors"]).filter(|id| kind(id) == "resource").any(|id| {
        let mut attributes = configuration["processors"][id]["attributes"].as_array().into_iter().flatten();
        attributes.any(|set| set["key"] == "deployment.environment.name" && text(&set["action"]) == "upsert")
    })
}

/// What counts only the traces that a sampling pipeline has kept.
fn counted_late(configuration: &Value, name: &str) -> Faults {
    let pipelines = &configuration["service"]["pipelines"];
    let after = downstream(configuration, name).into_iter().chain([name]);
    let exporters: BTreeSet<_> = after.flat_map(|name| texts(&pipelines[name]["exporters"])).collect();
    let late = exporters.into_iter().filter(|id| COUNTING.contains(&kind(id)));
    late.map(|id| format!("{name}: {id} counts only what it keeps")).collect()
}

/// Pipelines that sample although nothing has counted before.
fn uncounted(configuration: &Value) -> Faults {
    let exporters = of_pipelines(configuration, "exporters");
    let samples = of_pipelines(configuration, "processors").iter().any(|id| kind(id) == "tail_sampling");
    let missing = COUNTING.iter().filter(|counting| samples && !exporters.iter().any(|id| kind(id) == **counting));
    missing.map(|counting| format!("traces are sampled, and no {counting} counts them all")).collect()
}

#[test]
fn every_pipeline_has_its_processors_in_order() {
    for (name, configuration) in collectors().into_iter().filter(|(_, configuration)| !is_jaeger(configuration)) {
        assert_sound(&name, &faults(&configuration));
    }
}

#[test]
fn compose_counts_every_trace() {
    assert_sound("otelcol.yaml", &uncounted(&collectors()["otelcol.yaml"]));
}

/// A Collector that counts, then samples, then hands on.
const SOUND: &str = "
processors:
  resource:
    attributes: [{key: deployment.environment.name, value: demo, action: upsert}]
service:
  pipelines:
    traces/in:
      receivers: [otlp]
      processors: [memory_limiter, resource, redaction/values]
      exporters: [forward/all, span_metrics, service_graph]
    traces/sampled:
      receivers: [forward/all]
      processors: [tail_sampling]
      exporters: [otlp_grpc, forward/kept]
    traces/kept:
      receivers: [forward/kept]
      exporters: [debug]
    metrics:
      receivers: [span_metrics, service_graph]
      exporters: [otlp_http]
";

#[test]
fn a_wrong_order_is_found() {
    let check = |configuration: &Value| [faults(configuration), uncounted(configuration)].concat();
    assert_finds(
        check,
        SOUND,
        &[
            (
                "[memory_limiter, resource, redaction/values]",
                "[resource, memory_limiter, redaction]",
                "traces/in: memory_limiter is not the first",
            ),
            (", redaction/values]", "]", "traces/in: nothing redacts what it sends on"),
            ("resource, redaction/values", "redaction", "traces/in: deployment.environment.name is not set"),
            ("upsert", "insert", "traces/in: deployment.environment.name is not set"),
            ("[tail_sampling]", "[tail_sampling, transform]", "traces/sampled: something comes after tail_sampling"),
            (
                "[otlp_grpc, forward/kept]",
                "[forward/kept, span_metrics/late]",
                "traces/sampled: span_metrics/late counts only what it keeps",
            ),
            (
                "exporters: [debug]",
                "exporters: [service_graph]",
                "traces/sampled: service_graph counts only what it keeps",
            ),
            (
                "span_metrics, service_graph]\n    traces",
                "service_graph]\n    traces",
                "traces are sampled, and no span_metrics counts them all",
            ),
        ],
    );
}
