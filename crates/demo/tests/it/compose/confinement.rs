//! What a container may do: as little as it needs, and not for ever.

use serde_json::{Value, json};

use crate::compose::dependencies::ends;
use crate::compose::document::{assert_finds, entries, items, text, texts};
use crate::compose::{Faults, SYSTEMS, assert_sound, images, system};

/// Images whose programs are not root by themselves. Ours are uid 65532, as `dockerfile` checks.
const UNPRIVILEGED: [&str; 6] = [
    "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib", // 10001
    "quay.io/jaegertracing/jaeger",                                                            // 10001
    "grafana/tempo",                                                                           // 10001
    "grafana/loki",                                                                            // 10001
    "prom/prometheus",                                                                         // nobody
    "grafana/grafana",                                                                         // 472
];

/// What gives a container more than its own.
const GIFTS: [&str; 8] = ["privileged", "devices", "pid", "ipc", "userns_mode", "cgroup", "volumes_from", "env_file"];

/// What is not confined, of all the services.
fn loose(system: &Value) -> Faults {
    entries(&system["services"])
        .flat_map(|(name, service)| {
            let faults = of_one(service, ends(system, name));
            faults.into_iter().map(move |fault| format!("{name}: {fault}"))
        })
        .collect()
}

fn of_one(service: &Value, ends: bool) -> Faults {
    let mut faults = Faults::new();
    let mut demand = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    demand(service["read_only"] == true, "its files can be written to");
    demand(service["cap_drop"] == json!(["ALL"]), "it keeps capabilities");
    demand(texts(&service["security_opt"]).any(|option| option == "no-new-privileges:true"), "it may gain privileges");
    demand(is_unprivileged(service) || gives_volumes_away(service, ends), "it is root");
    demand(service["mem_limit"].is_string(), "its memory is unlimited");
    demand(cpus(service).is_some_and(|cpus| cpus > 0.0 && cpus <= 2.0), "its CPU time is unlimited");
    demand(is_rotated(&service["logging"]), "its log grows without end");
    let restarts = !matches!(text(&service["restart"]), "" | "no");
    demand(restarts || ends, "nothing restarts it");
    demand(!(restarts && ends), "it is restarted although it is meant to end");
    for gift in GIFTS {
        demand(service.get(gift).is_none(), &format!("it is given {gift}"));
    }
    faults
}

fn is_unprivileged(service: &Value) -> bool {
    let image = text(&service["image"]);
    let by_itself = images::program(image).is_some() || UNPRIVILEGED.contains(&images::parts(image).0);
    let user = service["user"].as_str().map(|user| user.split(':').next().unwrap_or_default());
    user.map_or(by_itself, |user| !matches!(user, "" | "0" | "root")) && service.get("cap_add").is_none()
}

/// Only root can give a new volume to the user of an image that has no shell. It ends, and can do nothing else.
fn gives_volumes_away(service: &Value, ends: bool) -> bool {
    ends && service["cap_add"] == json!(["CHOWN"]) && service["network_mode"] == "none"
}

fn cpus(service: &Value) -> Option<f64> {
    let cpus = &service["cpus"];
    cpus.as_f64().or_else(|| cpus.as_str()?.parse().ok())
}

fn is_rotated(logging: &Value) -> bool {
    let options = &logging["options"];
    ["json-file", "local"].contains(&text(&logging["driver"]))
        && ["max-size", "max-file"].iter().all(|option| options[option].is_string())
}

#[test]
fn every_container_is_confined() {
    for (name, _) in SYSTEMS {
        let system = system(name);
        assert!(!items(&json!(entries(&system["services"]).collect::<Vec<_>>())).is_empty(), "{name} starts nothing");
        assert_sound(name, &loose(&system));
    }
}

/// A service that is confined, and the one that gives it its volume.
const SOUND: &str = r#"
services:
  loki:
    image: grafana/loki:3.7.6
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 128m
    cpus: 0.5
    restart: unless-stopped
    logging: {driver: json-file, options: {max-size: 5m, max-file: "2"}}
    depends_on: {owner: {condition: service_completed_successfully}}
  owner:
    image: busybox:1.37
    user: "0:0"
    network_mode: none
    read_only: true
    cap_drop: ["ALL"]
    cap_add: [CHOWN]
    security_opt: [ "no-new-privileges:true"]
    mem_limit: 16m
    cpus: "0.1"
    logging: {driver: local, options: {max-size: 5m, max-file: "1"}}
"#;

#[test]
fn what_is_not_confined_is_found() {
    assert_finds(
        loose,
        SOUND,
        &[
            ("read_only: true\n    cap_drop: [ALL]", "cap_drop: [ALL]", "loki: its files can be written to"),
            ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "loki: it keeps capabilities"),
            ("[\"no-new-privileges:true\"]", "[\"seccomp:unconfined\"]", "loki: it may gain privileges"),
            ("grafana/loki:3.7.6", "busybox:1.37", "loki: it is root"),
            ("mem_limit: 128m", "user: \"0:0\"\n    mem_limit: 128m", "loki: it is root"),
            ("mem_limit: 128m", "cap_add: [NET_ADMIN]\n    mem_limit: 128m", "loki: it is root"),
            ("mem_limit: 128m", "mem_reservation: 128m", "loki: its memory is unlimited"),
            ("cpus: 0.5", "cpu_shares: 5", "loki: its CPU time is unlimited"),
            ("cpus: 0.5", "cpus: 0", "loki: its CPU time is unlimited"),
            ("{driver: json-file, options: {max-size: 5m, max-file: \"2\"}}", "{}", "loki: its log grows without end"),
            ("max-size: 5m, max-file: \"1\"", "max-size: 5m", "owner: its log grows without end"),
            ("restart: unless-stopped", "restart: \"no\"", "loki: nothing restarts it"),
            ("cpus: 0.5", "cpus: 0.5\n    privileged: true", "loki: it is given privileged"),
            ("network_mode: none", "network_mode: default", "owner: it is root"),
            ("[CHOWN]", "[CHOWN, SYS_ADMIN]", "owner: it is root"),
            (
                "mem_limit: 16m",
                "mem_limit: 16m\n    restart: always",
                "owner: it is restarted although it is meant to end",
            ),
        ],
    );
}
