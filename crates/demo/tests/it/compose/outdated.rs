//! What a Collector's configuration no longer has, or only under an old name that is to go.

use serde_json::Value;

use crate::compose::components::kind;
use crate::compose::document::{assert_finds, entries, items, strings, texts};
use crate::compose::pipelines::is_jaeger;
use crate::compose::{Faults, assert_sound, collectors};

/// Components by section and old type, and what to write instead. An `otlp` receiver is still called so.
const RENAMED: [(&str, &str, &str); 15] = [
    ("exporters", "otlp", "otlp_grpc"),
    ("exporters", "otlphttp", "otlp_http"),
    ("exporters", "logging", "debug"),
    ("exporters", "loadbalancing", "load_balancing"),
    ("exporters", "prometheusremotewrite", "prometheus_remote_write"),
    ("exporters", "jaeger", "otlp_grpc"),
    ("connectors", "spanmetrics", "span_metrics"),
    ("connectors", "servicegraph", "service_graph"),
    ("processors", "spanmetrics", "the connector span_metrics"),
    ("processors", "servicegraph", "the connector service_graph"),
    ("processors", "resourcedetection", "resource_detection"),
    ("processors", "batch", "sending_queue.batch of each exporter"),
    ("receivers", "hostmetrics", "host_metrics"),
    ("receivers", "httpcheck", "http_check"),
    ("extensions", "memory_ballast", "GOMEMLIMIT"),
];

/// Settings of components that are gone, by section and path, and what to write instead.
const GONE: [(&str, &str, &str); 5] = [
    ("exporters", "/batcher", "sending_queue.batch"),
    ("exporters", "/sending_queue/blocking", "block_on_overflow"),
    ("exporters", "/sending_queue/num_seconds", "queue_size"),
    ("connectors", "/dimensions_cache_size", "aggregation_cardinality_limit"),
    ("extensions", "/check_collector_pipeline", "nothing: it never worked"),
];

fn faults(configuration: &Value) -> Faults {
    let mut faults = Faults::new();
    for (section, old, new) in RENAMED {
        let named = entries(&configuration[section]).filter(|(id, _)| kind(id) == old);
        faults.extend(named.map(|(id, _)| format!("{section}: {id} is now {new}")));
    }
    for (section, path, new) in GONE {
        let having = entries(&configuration[section]).filter(|(_, component)| component.pointer(path).is_some());
        faults.extend(having.map(|(id, _)| format!("{id}: {path} is now {new}")));
    }
    if configuration.pointer("/service/telemetry/metrics/address").is_some() {
        faults.push("service.telemetry.metrics.address is now readers".to_owned());
    }
    for (id, processor) in entries(&configuration["processors"]) {
        faults.extend(guessable(processor).map(|key| format!("{id}: the hash of {key} can be guessed: delete it")));
        if items(&processor["policies"]).iter().any(|policy| strings_and_keys(policy).contains(&"invert_match")) {
            faults.push(format!("{id}: invert_match is now a drop policy"));
        }
    }
    let unprefixed = strings(configuration).into_iter().filter(|text| names_a_variable(text));
    faults.extend(unprefixed.map(|text| format!("{text}: a variable is now ${{env:NAME}}")));
    faults
}

/// The keys whose values are replaced by a hash without a salt.
fn guessable(processor: &Value) -> impl Iterator<Item = &str> {
    let hashing = items(&processor["actions"]).iter().filter(|action| action["action"] == "hash");
    hashing.map(|action| action["key"].as_str().or_else(|| action["pattern"].as_str()).unwrap_or_default())
}

fn strings_and_keys(value: &Value) -> Vec<&str> {
    let below = entries(value).flat_map(|(key, value)| [vec![key], strings_and_keys(value)].concat());
    below.chain(texts(value)).collect()
}

/// `$NAME` and `${NAME}`. A pattern's `$1` and `$$` are no variables, nor is a `$` at the end of one.
fn names_a_variable(text: &str) -> bool {
    text.replace("$$", "").split('$').skip(1).any(|after| match after.strip_prefix('{') {
        Some(inside) => !["env:", "file:", "yaml:"].iter().any(|scheme| inside.starts_with(scheme)),
        None => after.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_'),
    })
}

#[test]
fn no_configuration_is_outdated() {
    for (name, configuration) in collectors().into_iter().filter(|(_, configuration)| !is_jaeger(configuration)) {
        assert_sound(&name, &faults(&configuration));
    }
}

#[test]
fn an_old_name_is_found() {
    let sound = r#"
receivers: {otlp: {}}
processors:
  attributes: {actions: [{key: user.email, action: delete}], pattern: "a(b|$)$"}
  tail_sampling: {policies: [{type: latency, latency: {threshold_ms: 1}}]}
connectors: {span_metrics: {histogram: {}}}
exporters:
  otlp_grpc: {endpoint: "${env:BACKEND:-jaeger}:4317", sending_queue: {batch: {}}}
extensions: {health_check: {endpoint: "0.0.0.0:13133"}}
service: {telemetry: {metrics: {level: detailed}}}
"#;
    for (section, old, new) in RENAMED {
        let configuration = serde_json::json!({section: {format!("{old}/one"): {}}});
        assert_eq!(faults(&configuration), [format!("{section}: {old}/one is now {new}")]);
    }
    for (section, path, new) in GONE {
        let inside = path
            .rsplit('/')
            .filter(|key| !key.is_empty())
            .fold(Value::Null, |inner, key| serde_json::json!({key: inner}));
        assert_eq!(faults(&serde_json::json!({section: {"one": inside}})), [format!("one: {path} is now {new}")]);
    }
    assert_finds(
        faults,
        sound,
        &[
            ("action: delete", "action: hash", "attributes: the hash of user.email can be guessed: delete it"),
            ("threshold_ms: 1", "invert_match: true", "tail_sampling: invert_match is now a drop policy"),
            ("level: detailed", "address: \":8888\"", "service.telemetry.metrics.address is now readers"),
            ("${env:BACKEND:-jaeger}", "${BACKEND}", "${BACKEND}:4317: a variable is now ${env:NAME}"),
            ("${env:BACKEND:-jaeger}", "$BACKEND", "$BACKEND:4317: a variable is now ${env:NAME}"),
        ],
    );
}
