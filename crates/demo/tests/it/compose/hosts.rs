//! Every address that a configuration names is a service of the same system.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::document::{assert_finds, entries, items, strings, text, texts, yaml};
use crate::compose::storage::mounts;
use crate::compose::{Faults, SYSTEMS, assert_sound, read, system};

/// The name of the container itself.
pub(super) const OWN: &str = "localhost";

/// The host's name and the port of an address, `http://host:port/path` or `host:port`.
pub(super) fn address(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if !["", "http", "https"].contains(&scheme) {
        return None;
    }
    let (host, port) = rest.split('/').next()?.rsplit_once(':')?;
    // `10001:10001` is a user and a group.
    let is_host = host.contains(|letter: char| letter.is_ascii_alphabetic())
        && host.chars().all(|letter| letter.is_ascii_alphanumeric() || "-.".contains(letter));
    (is_host && port.parse::<u16>().is_ok()).then_some((host, port))
}

/// The addresses that a service of ours or a tool is told.
fn told(service: &Value) -> Vec<&str> {
    let words = texts(&service["command"]).chain(texts(&service["healthcheck"]["test"]));
    let listed = items(&service["environment"]).iter().map(|line| text(line).split_once('=').unwrap_or_default().1);
    entries(&service["environment"]).map(|(_, value)| text(value)).chain(words).chain(listed).collect()
}

fn strangers(system: &Value, file: impl Fn(&str) -> Option<Value>) -> Faults {
    let services: BTreeSet<_> = entries(&system["services"]).map(|(name, _)| name).collect();
    let mut faults = Faults::new();
    for (name, service) in entries(&system["services"]) {
        let files: Vec<_> = mounts(service).into_iter().filter_map(|mount| file(mount.source)).collect();
        let addresses = files.iter().flat_map(strings).chain(told(service));
        let hosts: BTreeSet<_> = addresses.filter_map(address).map(|(host, _)| host).collect();
        let unknown = hosts.difference(&services).filter(|host| **host != OWN);
        faults.extend(unknown.map(|host| format!("{name}: there is no {host}")));
    }
    faults
}

/// A mounted file, if it is one in YAML.
fn mounted(source: &str) -> Option<Value> {
    let name = source.strip_prefix("./").filter(|name| name.ends_with(".yaml"))?;
    Some(yaml(&read(name)))
}

#[test]
fn every_address_is_a_service() {
    for (name, _) in SYSTEMS {
        assert_sound(name, &strangers(&system(name), mounted));
    }
}

#[test]
fn an_address_of_nobody_is_found() {
    let sound = r#"
services:
  order:
    environment: {ORDER_PAYMENT: "http://payment:50052", ORDER_LISTEN: "0.0.0.0:50051", URL: "sqlite:///data/order.db"}
  payment: {environment: [ "OTEL_EXPORTER_OTLP_ENDPOINT=http://otelcol:4317" ]}
  otelcol: {volumes: ["./otelcol.yaml:/etc/otelcol.yaml:ro", "queue:/var/lib/otelcol"]}
  ready: {command: [healthcheck, --url, "http://otelcol:13133/"]}
"#;
    let file = |source: &str| {
        let exporter = yaml(r#"exporters: {otlp_http: {endpoint: "http://payment:4318/otlp", interval: 1s}}"#);
        (source == "./otelcol.yaml").then_some(exporter)
    };
    assert_finds(
        |system| strangers(system, file),
        sound,
        &[
            ("payment:50052", "payments:50052", "order: there is no payments"),
            ("otelcol:4317", "collector:4317", "payment: there is no collector"),
            ("otelcol:13133", "otel:13133", "ready: there is no otel"),
        ],
    );
    let found = strangers(&yaml(&sound.replace("  payment: {", "  payer: {")), file);
    assert_eq!(found, ["order: there is no payment", "otelcol: there is no payment"]);
    assert_eq!(address("[::1]:80"), None);
    assert_eq!(address("0.0.0.0:80"), None);
    assert_eq!(address("a:b"), None);
    assert_eq!(address("http://a.b:1/c"), Some(("a.b", "1")));
}
