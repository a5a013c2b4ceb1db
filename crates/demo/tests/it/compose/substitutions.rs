//! What a Collector takes from its environment, `${env:NAME}`, is set there; and what is set there it takes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, strings, yaml};
use crate::compose::storage::mounts;
use crate::compose::{Faults, SYSTEMS, assert_sound, collectors, system};

/// What the Go runtime reads by itself.
const OF_THE_RUNTIME: [&str; 1] = ["GOMEMLIMIT"];

fn taken(configuration: &Value) -> BTreeSet<&str> {
    let uses = strings(configuration).into_iter().flat_map(|text| text.split("${env:").skip(1));
    uses.filter_map(|rest| rest.split(['}', ':']).next()).collect()
}

fn faults<'a>(system: &Value, configuration: impl Fn(&str) -> Option<&'a Value>) -> Faults {
    let mut faults = Faults::new();
    for (name, service) in entries(&system["services"]) {
        let configurations: Vec<_> = mounts(service).iter().filter_map(|mount| configuration(mount.source)).collect();
        if configurations.is_empty() {
            continue;
        }
        let taken: BTreeSet<_> = configurations.into_iter().flat_map(taken).collect();
        let set: BTreeSet<_> = entries(&service["environment"]).map(|(name, _)| name).collect();
        faults.extend(taken.difference(&set).map(|variable| format!("{name}: {variable} is not set")));
        let idle = set.difference(&taken).filter(|variable| !OF_THE_RUNTIME.contains(variable));
        faults.extend(idle.map(|variable| format!("{name}: nothing takes {variable}")));
    }
    faults
}

#[test]
fn every_variable_of_a_collector_is_set_and_taken() {
    let collectors = collectors();
    for (name, _) in SYSTEMS {
        let configuration = |source: &str| collectors.get(source.strip_prefix("./")?);
        assert_sound(name, &faults(&system(name), configuration));
    }
}

#[test]
fn a_variable_that_is_not_set_or_not_taken_is_found() {
    let sound = "
services:
  otelcol:
    volumes: ['./otelcol.yaml:/etc/otelcol.yaml:ro']
    environment: {GOMEMLIMIT: 80MiB, SHARE: 10, PLACE: demo}
  loki: {environment: {ANYTHING: goes}}
";
    let configuration = yaml("{a: '${env:SHARE:-100}', b: ['x${env:PLACE}']}");
    let of = |source: &str| (source == "./otelcol.yaml").then_some(&configuration);
    assert_finds(
        |system| faults(system, of),
        sound,
        &[
            (", PLACE: demo", "", "otelcol: PLACE is not set"),
            ("PLACE: demo", "PLACE: demo, MORE: 1", "otelcol: nothing takes MORE"),
            ("SHARE", "SHARES", "otelcol: SHARE is not set; otelcol: nothing takes SHARES"),
        ],
    );
}
