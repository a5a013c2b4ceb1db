//! What a service cannot deliver waits on disk: on a volume of its own that its program may write to, up to a bound.

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, text};
use crate::compose::queues::MOST_BYTES;
use crate::compose::storage::mounts;
use crate::compose::{Faults, SYSTEMS, assert_sound, dockerfile, images, system};

fn faults(system: &Value, is_owner: impl Fn(&str, &str) -> bool) -> Faults {
    let mut faults = Faults::new();
    for (name, service) in entries(&system["services"]) {
        let environment = &service["environment"];
        if environment["OTEL_EXPORTER_OTLP_ENDPOINT"].is_null() {
            continue;
        }
        let (spool, room) =
            (text(&environment["TELEMETRY_SPOOL_DIR"]), text(&environment["TELEMETRY_SPOOL_MAX_BYTES"]));
        let mounts = mounts(service);
        let volume = mounts.iter().find(|mount| spool.starts_with(&format!("{}/", mount.target)));
        let program = images::program(text(&service["image"])).unwrap_or_default();
        let rules = [
            (!spool.is_empty(), "it loses what the Collector does not take"),
            (volume.is_some_and(|volume| volume.writable), "its spool is on no volume"),
            (volume.is_some_and(|volume| is_owner(program, volume.target)), "its volume is another user's"),
            (room.parse().is_ok_and(|room: u64| (1..=MOST_BYTES).contains(&room)), "its spool has no bound"),
        ];
        faults.extend(rules.iter().find(|(holds, _)| !holds).map(|(_, fault)| format!("{name}: {fault}")));
    }
    faults
}

#[test]
fn every_service_keeps_what_it_cannot_deliver() {
    for (name, _) in SYSTEMS {
        let system = system(name);
        assert_eq!(system.to_string().matches("TELEMETRY_SPOOL_DIR").count(), 3, "{name}: gateway, order, payment");
        assert_sound(name, &faults(&system, dockerfile::is_owner));
    }
}

#[test]
fn a_spool_that_keeps_nothing_is_found() {
    let sound = r#"
services:
  order:
    image: throughline/order:0.1.0
    environment:
      OTEL_EXPORTER_OTLP_ENDPOINT: http://otelcol:4317
      TELEMETRY_SPOOL_DIR: /data/spool
      TELEMETRY_SPOOL_MAX_BYTES: "1000000"
    volumes: ["order:/data"]
  bank: {image: "throughline/bank:0.1.0"}
"#;
    assert_finds(
        |system| faults(system, |program, folder| (program, folder) == ("order", "/data")),
        sound,
        &[
            ("TELEMETRY_SPOOL_DIR: /data/spool", "A: b", "order: it loses what the Collector does not take"),
            ("/data/spool", "/tmp/spool", "order: its spool is on no volume"),
            ("order:/data\"", "order:/data:ro\"", "order: its spool is on no volume"),
            ("throughline/order:", "throughline/gateway:", "order: its volume is another user's"),
            ("TELEMETRY_SPOOL_MAX_BYTES: \"1000000\"", "A: b", "order: its spool has no bound"),
            ("\"1000000\"", "\"1000000000\"", "order: its spool has no bound"),
        ],
    );
}
