//! Ports: only for this machine, and those that the README names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, items, text};
use crate::compose::{Faults, README, SYSTEMS, assert_sound, images, read, system};
use crate::markdown::commands;
use crate::shell::words;

/// What a service publishes, in either spelling: the address and port on this machine, and the port in the container.
pub(super) fn published(service: &Value) -> Vec<(String, String, String)> {
    let short = |port: &str| {
        let parts: Vec<_> = port.rsplitn(3, ':').collect();
        let part = |index: usize| parts.get(index).copied().unwrap_or_default().to_owned();
        (part(2), part(1), part(0))
    };
    let number = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let long = |port: &Value| (text(&port["host_ip"]).to_owned(), number(&port["published"]), number(&port["target"]));
    items(&service["ports"]).iter().map(|port| port.as_str().map_or_else(|| long(port), short)).collect()
}

/// Ports that others than this machine can reach, and ports that two services want.
fn exposed(system: &Value) -> Faults {
    let mut faults = Faults::new();
    let mut taken = BTreeSet::new();
    for (name, service) in entries(&system["services"]) {
        for (address, outside, inside) in published(service) {
            if address != "127.0.0.1" {
                faults.push(format!("{name}: {inside} is published on {address:?}"));
            }
            if !taken.insert(outside.clone()) {
                faults.push(format!("{name}: {outside} is another's"));
            }
        }
        if service["network_mode"] == "host" {
            faults.push(format!("{name}: it has all of this machine's ports"));
        }
    }
    faults
}

/// Which of our programs is reached at which port of this machine; the container listens on the same.
fn programs(system: &Value) -> BTreeMap<String, String> {
    let ports = entries(&system["services"]).flat_map(|(_, service)| {
        let program = images::program(text(&service["image"])).unwrap_or_default();
        let same = published(service).into_iter().filter(|(_, outside, inside)| outside == inside);
        same.map(|(_, outside, _)| (outside, program.to_owned()))
    });
    ports.filter(|(_, program)| !program.is_empty()).collect()
}

/// Where the README says that a program listens, in the table of its settings.
fn documented(readme: &str) -> BTreeMap<String, String> {
    let rows = readme.lines().filter(|line| line.starts_with("| `") && line.contains("_LISTEN`"));
    let listens = rows.flat_map(|row| {
        let mut cells = row.split(" | ").map(|cell| cell.trim_matches(['|', ' ']).split(", ").collect::<Vec<_>>());
        let (names, values) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        names.into_iter().zip(values).filter_map(|(name, value)| {
            let program = name.trim_matches('`').strip_suffix("_LISTEN")?.to_lowercase();
            let port = value.trim_matches('`').rsplit(':').next()?;
            port.parse::<u16>().ok().map(|port| (port.to_string(), program))
        })
    });
    listens.collect()
}

#[test]
fn every_port_is_published_for_this_machine_only() {
    for (name, _) in SYSTEMS {
        assert_sound(name, &exposed(&system(name)));
    }
}

#[test]
fn the_ports_of_our_programs_are_those_of_the_readme() {
    let readme = read(README);
    let documented = documented(&readme);
    assert_eq!(documented.len(), 5, "{documented:?}");
    // Not all of them run there.
    let published = programs(&system(SYSTEMS[0].0));
    assert_eq!(published.len(), 4, "{published:?}");
    assert!(published.iter().all(|(port, program)| documented.get(port) == Some(program)), "{published:?}");
    for (name, _) in SYSTEMS {
        assert_eq!(programs(&system(name)), published, "{name}");
    }
    for told in commands(&readme).iter().filter(|told| told.line.starts_with("grpcurl ")) {
        let words = words(&told.line);
        let port = words.iter().find_map(|word| word.strip_prefix("127.0.0.1:")).unwrap();
        assert!(published.contains_key(port), "{}: compose publishes no {port}", told.line);
    }
}

#[test]
fn a_port_for_everybody_is_found() {
    let sound = r#"
services:
  order: {image: "throughline/order:0.1.0", ports: ["127.0.0.1:50051:50051"]}
  jaeger:
    image: quay.io/jaegertracing/jaeger:2.13.0
    ports: [{host_ip: 127.0.0.1, published: "16686", target: 16686}]
"#;
    assert_finds(
        exposed,
        sound,
        &[
            ("127.0.0.1:50051", "50051", "order: 50051 is published on \"\""),
            ("127.0.0.1:50051", "0.0.0.0:50051", "order: 50051 is published on \"0.0.0.0\""),
            ("host_ip: 127.0.0.1, ", "", "jaeger: 16686 is published on \"\""),
            ("127.0.0.1:50051", "127.0.0.1:16686", "order: 16686 is another's"),
            ("ports: [\"127.0.0.1:50051:50051\"]", "network_mode: host", "order: it has all of this machine's ports"),
        ],
    );
    let system = crate::compose::document::yaml(sound);
    let order = BTreeMap::from([("50051".to_owned(), "order".to_owned())]);
    assert_eq!(programs(&system), order);
    assert_eq!(documented("| `ORDER_LISTEN`, `BANK_SLOW` | `:50051`, `3s` | |"), order);
}
