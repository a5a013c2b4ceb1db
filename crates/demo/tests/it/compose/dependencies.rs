//! Who waits for whom, and for what: `up --wait` has to end, and to end well.

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, items, text, texts};
use crate::compose::{Faults, SYSTEMS, assert_sound, images, system};

/// Images that hold a program and nothing else: there is no shell to run a check with.
const SHELLESS: [&str; 3] = [
    "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib",
    "grafana/tempo",
    "grafana/loki",
];

/// Whether a service is meant to end: others wait for that, or it is a tool that is started by hand.
pub(super) fn ends(system: &Value, name: &str) -> bool {
    let mut conditions = entries(&system["services"]).map(|(_, service)| &service["depends_on"][name]["condition"]);
    conditions.any(|condition| condition == "service_completed_successfully")
        || !items(&system["services"][name]["profiles"]).is_empty()
}

fn faults(system: &Value) -> Faults {
    let services = &system["services"];
    let mut faults = Faults::new();
    for (name, service) in entries(services) {
        if service["depends_on"].is_array() {
            faults.push(format!("{name}: it does not say what it waits for"));
        }
        for (other, wait) in entries(&service["depends_on"]) {
            let waited_for = &services[other];
            match text(&wait["condition"]) {
                _ if waited_for.is_null() => faults.push(format!("{name}: there is no {other} to wait for")),
                "service_healthy" if !is_checked(waited_for) => {
                    faults.push(format!("{name}: nothing says when {other} is healthy"));
                }
                "service_healthy" | "service_completed_successfully" => {}
                condition => faults.push(format!("{name}: {condition} says nothing about {other}")),
            }
        }
        faults.extend(untestable(service).map(|fault| format!("{name}: {fault}")));
    }
    faults
}

fn is_checked(service: &Value) -> bool {
    let check = &service["healthcheck"];
    check["disable"] != true && !items(&check["test"]).is_empty()
}

/// Why a health check cannot work.
fn untestable(service: &Value) -> Option<String> {
    let (name, _) = images::parts(text(&service["image"]));
    let test: Vec<_> = texts(&service["healthcheck"]["test"]).collect();
    let program = images::program(name);
    match (&test[..], program) {
        ([], _) => None,
        (["CMD", program, "healthcheck", ..], Some(ours)) if *program == format!("/usr/local/bin/{ours}") => None,
        (_, Some(_)) => Some("its image has only its own program to check it with".to_owned()),
        (["CMD", command, ..], None) if !SHELLESS.contains(&name) || is_own(command, name) => None,
        (["CMD-SHELL", ..], None) if !SHELLESS.contains(&name) => None,
        _ => Some(format!("{name} has nothing to run {test:?} with")),
    }
}

/// Whether a command is the program that the image is made for.
fn is_own(command: &str, image: &str) -> bool {
    let program = command.rsplit('/').next().unwrap_or_default();
    image.rsplit('/').next().is_some_and(|name| name == program)
}

/// Services that run on and that nothing checks, neither they themselves nor another that asks them.
fn unchecked(system: &Value) -> Faults {
    let services = &system["services"];
    let asked = |name: &str| {
        let mut others = entries(services).flat_map(|(_, service)| {
            texts(&service["command"]).chain(texts(&service["healthcheck"]["test"])).collect::<Vec<_>>()
        });
        others.any(|word| word.starts_with(&format!("http://{name}:")))
    };
    let open = entries(services).filter(|(name, service)| !ends(system, name) && !is_checked(service) && !asked(name));
    open.map(|(name, _)| format!("{name}: nothing checks it")).collect()
}

#[test]
fn everything_is_waited_for_until_it_is_well() {
    for (name, _) in SYSTEMS {
        let system = system(name);
        assert_sound(name, &[faults(&system), unchecked(&system)].concat());
    }
}

/// Services of each kind of image, every one of them checked.
const SOUND: &str = r#"
services:
  order:
    image: throughline/order:0.1.0
    depends_on: {loki: {condition: service_healthy}, ready: {condition: service_completed_successfully}}
    healthcheck: {test: [CMD, /usr/local/bin/order, healthcheck]}
  loki:
    image: grafana/loki:3.7.6
    healthcheck: {test: [CMD, /usr/bin/loki, -health]}
  prometheus:
    image: prom/prometheus:v3.14.0
    healthcheck: {test: [CMD-SHELL, wget -qO- http://127.0.0.1:9090/-/ready]}
  otelcol:
    image: ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib:0.158.0
  ready:
    image: throughline/demo:0.1.0
    command: [healthcheck, --url, "http://otelcol:13133/"]
"#;

#[test]
fn a_wait_for_nothing_is_found() {
    let own = "order: its image has only its own program to check it with";
    assert_finds(
        |system| [faults(system), unchecked(system)].concat(),
        SOUND,
        &[
            (
                "loki: {condition: service_healthy}, ",
                "tempo: {condition: service_healthy}, ",
                "order: there is no tempo to wait for",
            ),
            (
                "[CMD, /usr/bin/loki, -health]",
                "[]",
                "order: nothing says when loki is healthy; loki: nothing checks it",
            ),
            (
                "loki: {condition: service_healthy}, ",
                "otelcol: {condition: service_healthy}, ",
                "order: nothing says when otelcol is healthy",
            ),
            ("service_healthy", "service_started", "order: service_started says nothing about loki"),
            ("/usr/local/bin/order, healthcheck", "wget, http://127.0.0.1", own),
            (
                "/usr/bin/loki, -health",
                "wget, http://127.0.0.1",
                "loki: grafana/loki has nothing to run [\"CMD\", \"wget\", \"http://127.0.0.1\"] with",
            ),
            (
                "healthcheck: {test: [CMD-SHELL, wget -qO- http://127.0.0.1:9090/-/ready]}",
                "",
                "prometheus: nothing checks it",
            ),
            ("http://otelcol:13133/", "http://order:13133/", "otelcol: nothing checks it"),
        ],
    );
    let list = serde_json::json!({"services": {"a": {"depends_on": ["b"]}}});
    assert_eq!(faults(&list), ["a: it does not say what it waits for"]);
}
