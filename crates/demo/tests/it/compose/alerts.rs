//! Prometheus' alert rules: each says what is wrong, and a test of `promtool` shows it both firing and silent.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::document::{assert_finds, documents, items, text, texts, yaml};
use crate::compose::{Faults, assert_sound, files, read};

/// Where Prometheus' files are.
const FOLDER: &str = "prometheus";

/// The names of files with rules, and of files with tests of rules.
pub(super) fn rules_and_tests() -> (Vec<String>, Vec<String>) {
    let of = |key: &str| {
        let names = files(FOLDER, &[".yaml", ".yml"]).into_iter();
        names.filter(|name| documents(&read(name)).iter().any(|document| document[key].is_array())).collect()
    };
    (of("groups"), of("tests"))
}

pub(super) fn alerts(rules: &Value) -> impl Iterator<Item = &Value> {
    items(&rules["groups"]).iter().flat_map(|group| items(&group["rules"])).filter(|rule| rule["alert"].is_string())
}

/// The names of the alerts that a test file expects to fire, or expects not to.
fn expected(tests: &Value, firing: bool) -> BTreeSet<&str> {
    let cases = items(&tests["tests"]).iter().flat_map(|test| items(&test["alert_rule_test"]));
    let cases = cases.filter(|case| items(&case["exp_alerts"]).is_empty() != firing);
    cases.map(|case| text(&case["alertname"])).collect()
}

fn faults(rules: &Value, tests: &Value) -> Faults {
    let mut faults = Faults::new();
    let (fires, is_silent) = (expected(tests, true), expected(tests, false));
    let mut names = BTreeSet::new();
    for alert in alerts(rules) {
        let name = text(&alert["alert"]);
        let rules = [
            (names.insert(name), "its name is another's"),
            (!text(&alert["expr"]).trim().is_empty(), "it looks at nothing"),
            (!text(&alert["for"]).is_empty() || text(&alert["expr"]).contains("m]"), "a single sample fires it"),
            (!text(&alert["labels"]["severity"]).is_empty(), "it does not say how bad it is"),
            (!text(&alert["annotations"]["summary"]).is_empty(), "it does not say what is wrong"),
            (fires.contains(name), "no test shows it firing"),
            (is_silent.contains(name), "no test shows it silent"),
        ];
        faults.extend(rules.iter().filter(|(holds, _)| !holds).map(|(_, fault)| format!("{name}: {fault}")));
    }
    let strangers = fires.union(&is_silent).filter(|name| !names.contains(*name));
    faults.extend(strangers.map(|name| format!("{name}: it is tested, and is not there")));
    faults
}

#[test]
fn every_alert_is_tested() {
    let (rules, tests) = rules_and_tests();
    assert_eq!((rules.len(), tests.len()), (1, 1), "{rules:?} {tests:?}");
    assert_sound(&rules[0], &faults(&yaml(&read(&rules[0])), &yaml(&read(&tests[0]))));
    assert!(alerts(&yaml(&read(&rules[0]))).count() >= 4, "export, queue, errors, latency");

    // What Prometheus loads is this file, where compose mounts it.
    let configuration = yaml(&read("prometheus/prometheus.yaml"));
    let loaded: Vec<_> = texts(&configuration["rule_files"]).map(|path| path.rsplit('/').next()).collect();
    assert_eq!(loaded, [rules[0].rsplit('/').next()]);
}

#[test]
fn an_alert_without_a_test_is_found() {
    let sound = "
groups:
  - name: pipeline
    rules:
      - {record: a, expr: b}
      - {alert: QueueFull, expr: size > 1, for: 1m, labels: {severity: warning}, annotations: {summary: It is full.}}
tests:
  - alert_rule_test:
      - {alertname: QueueFull, eval_time: 1m, exp_alerts: []}
      - {alertname: QueueFull, eval_time: 5m, exp_alerts: [{exp_labels: {severity: warning}}]}
";
    assert_finds(
        |document| faults(document, document),
        sound,
        &[
            (
                "{record: a, expr: b}",
                "{alert: QueueFull, expr: a, for: 1m, labels: {severity: a}, annotations: {summary: b}}",
                "QueueFull: its name is another's",
            ),
            ("expr: size > 1, ", "", "QueueFull: it looks at nothing"),
            ("for: 1m, ", "", "QueueFull: a single sample fires it"),
            ("labels: {severity: warning}, ", "", "QueueFull: it does not say how bad it is"),
            ("summary: It", "text: It", "QueueFull: it does not say what is wrong"),
            ("[{exp_labels: {severity: warning}}]", "[]", "QueueFull: no test shows it firing"),
            ("exp_alerts: []", "exp_alerts: [{}]", "QueueFull: no test shows it silent"),
        ],
    );
    let unknown = yaml("tests: [{alert_rule_test: [{alertname: Gone, exp_alerts: []}]}]");
    assert_eq!(faults(&Value::Null, &unknown), ["Gone: it is tested, and is not there"]);
}
