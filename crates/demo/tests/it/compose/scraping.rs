//! The services' admin ports, from which Prometheus learns what becomes of their telemetry: open to it, and to nobody
//! outside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, items, text, texts, yaml};
use crate::compose::hosts::address;
use crate::compose::{Faults, SYSTEMS, assert_sound, ports, read, system};

/// The job that asks them.
pub(super) const JOB: &str = "services";

/// The services that export telemetry of their own.
fn exporting(system: &Value) -> impl Iterator<Item = (&str, &Value)> {
    entries(&system["services"]).filter(|(_, service)| !service["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"].is_null())
}

/// Where a service's admin port listens, if not on its loopback.
fn admin<'a>(name: &str, service: &'a Value) -> Option<&'a str> {
    service["environment"][format!("{}_ADMIN_LISTEN", name.to_uppercase())].as_str()
}

/// The targets of the job, each with the service that its labels name.
fn targets(prometheus: &Value) -> BTreeMap<&str, &str> {
    let job = items(&prometheus["scrape_configs"]).iter().find(|job| job["job_name"] == JOB);
    let groups = job.map_or(&[][..], |job| items(&job["static_configs"])).iter();
    groups
        .flat_map(|group| texts(&group["targets"]).map(|target| (target, text(&group["labels"]["service_name"]))))
        .collect()
}

/// `document` has a system, and what its Prometheus is told.
fn faults(document: &Value) -> Faults {
    let (system, targets) = (&document["system"], targets(&document["prometheus"]));
    let mut faults = Faults::new();
    let mut demand = |holds: bool, name: &str, fault: &str| {
        if !holds {
            faults.push(format!("{name}: {fault}"));
        }
    };
    let scrapes = system["services"]["prometheus"].is_object();
    for (name, service) in exporting(system) {
        let Some(listen) = admin(name, service) else {
            demand(!scrapes, name, "its admin port is on its loopback");
            continue;
        };
        let port = listen.strip_prefix("0.0.0.0:").unwrap_or_default();
        demand(scrapes, name, "its admin port is open for nobody");
        demand(
            targets.get(&*format!("{name}:{port}")) == Some(&name),
            name,
            "nobody scrapes its admin port by its name",
        );
        demand(
            !ports::published(service).iter().any(|(_, _, inside)| inside == port),
            name,
            "its admin port is published",
        );
    }
    let known: BTreeSet<_> = exporting(system).map(|(name, _)| name).collect();
    for target in targets.keys().filter(|_| scrapes) {
        demand(address(target).is_some_and(|(host, _)| known.contains(host)), target, "it exports nothing");
    }
    faults
}

#[test]
fn the_admin_ports_are_open_for_prometheus_alone() {
    let prometheus = yaml(&read("prometheus/prometheus.yaml"));
    assert_eq!(targets(&prometheus).len(), 3, "gateway, order, payment");
    for (name, _) in SYSTEMS {
        assert_sound(name, &faults(&serde_json::json!({"system": system(name), "prometheus": prometheus})));
    }
}

#[test]
fn an_admin_port_that_is_closed_or_open_to_all_is_found() {
    let sound = r#"
system:
  services:
    order:
      environment: {OTEL_EXPORTER_OTLP_ENDPOINT: "http://otelcol:4317", ORDER_ADMIN_LISTEN: "0.0.0.0:51051"}
      ports: ["127.0.0.1:50051:50051"]
    bank: {environment: {BANK_SLOW: 3s}}
    prometheus: {image: prometheus}
prometheus:
  scrape_configs:
    - {job_name: otelcol, static_configs: [{targets: ["otelcol:8888"]}]}
    - {job_name: services, static_configs: [{targets: ["order:51051"], labels: {service_name: order}}]}
"#;
    let unscraped = "order: nobody scrapes its admin port by its name";
    assert_finds(
        faults,
        sound,
        &[
            (", ORDER_ADMIN_LISTEN: \"0.0.0.0:51051\"", "", "order: its admin port is on its loopback"),
            ("0.0.0.0:51051", "127.0.0.1:51051", unscraped),
            ("\"order:51051\"", "\"order:50051\"", unscraped),
            ("labels: {service_name: order}", "labels: {service: order}", unscraped),
            ("127.0.0.1:50051:50051", "127.0.0.1:51051:51051", "order: its admin port is published"),
            ("[\"order:51051\"]", "[\"order:51051\", \"bank:50060\"]", "bank:50060: it exports nothing"),
            ("prometheus: {image: prometheus}", "", "order: its admin port is open for nobody"),
        ],
    );
}
