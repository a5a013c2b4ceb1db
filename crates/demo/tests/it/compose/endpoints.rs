//! A Collector's endpoints are written out: the defaults are `localhost`, which no other container reaches.

use serde_json::Value;

use crate::compose::components::kind;
use crate::compose::document::{assert_finds, entries, items, text};
use crate::compose::{Faults, assert_sound, collectors};

/// Extensions that listen, and below which path they say where.
const LISTENING: [(&str, &str); 3] =
    [("health_check", "/endpoint"), ("healthcheckv2", "/http/endpoint"), ("jaeger_query", "/http/endpoint")];

fn faults(configuration: &Value) -> Faults {
    let mut faults = Faults::new();
    let mut demand_open = |id: &str, endpoint: &Value| {
        if !text(endpoint).starts_with("0.0.0.0:") {
            faults.push(format!("{id}: it listens where nobody reaches it"));
        }
    };
    for (id, receiver) in entries(&configuration["receivers"]).filter(|(id, _)| kind(id) == "otlp") {
        if receiver["protocols"].as_object().is_none_or(serde_json::Map::is_empty) {
            demand_open(id, &Value::Null);
        }
        for (protocol, settings) in entries(&receiver["protocols"]) {
            demand_open(&format!("{id}/{protocol}"), &settings["endpoint"]);
        }
    }
    for (id, extension) in entries(&configuration["extensions"]) {
        let listening = LISTENING.iter().find(|(listening, _)| *listening == kind(id));
        if let Some((_, path)) = listening {
            demand_open(id, extension.pointer(path).unwrap_or(&Value::Null));
        }
    }
    for reader in items(&configuration["service"]["telemetry"]["metrics"]["readers"]) {
        let pull = &reader["pull"]["exporter"]["prometheus"];
        demand_open("its own metrics", &Value::String(format!("{}:{}", text(&pull["host"]), pull["port"])));
    }
    for (id, exporter) in entries(&configuration["exporters"]).filter(|(id, _)| kind(id).starts_with("otlp")) {
        if text(&exporter["endpoint"]).is_empty() {
            faults.push(format!("{id}: it does not say where to"));
        }
    }
    faults
}

#[test]
fn every_endpoint_is_written_out() {
    for (name, configuration) in collectors() {
        assert_sound(&name, &faults(&configuration));
    }
}

#[test]
fn an_endpoint_that_nobody_reaches_is_found() {
    let sound = r#"
receivers: {otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317"}}}}
extensions:
  health_check: {endpoint: "0.0.0.0:13133"}
  jaeger_query: {http: {endpoint: "0.0.0.0:16686"}}
exporters: {otlp_grpc: {endpoint: "jaeger:4317"}}
service: {telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: 0.0.0.0, port: 8888}}}}]}}}
"#;
    assert_finds(
        faults,
        sound,
        &[
            ("{endpoint: \"0.0.0.0:4317\"}", "", "otlp/grpc: it listens where nobody reaches it"),
            ("0.0.0.0:4317", "localhost:4317", "otlp/grpc: it listens where nobody reaches it"),
            ("{protocols: {grpc: {endpoint: \"0.0.0.0:4317\"}}}", "", "otlp: it listens where nobody reaches it"),
            ("{endpoint: \"0.0.0.0:13133\"}", "", "health_check: it listens where nobody reaches it"),
            ("0.0.0.0:16686", ":16686", "jaeger_query: it listens where nobody reaches it"),
            ("host: 0.0.0.0, ", "", "its own metrics: it listens where nobody reaches it"),
            ("{endpoint: \"jaeger:4317\"}", "", "otlp_grpc: it does not say where to"),
        ],
    );
}
