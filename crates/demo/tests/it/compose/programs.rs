//! What the programs themselves say of their files, where they are on PATH; in the versions that compose pins, if it is
//! to mean much. A test whose program is missing says so.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::{Value, json};

use crate::compose::components::kind;
use crate::compose::document::{entries, items, text, yaml};
use crate::compose::pipelines::is_jaeger;
use crate::compose::{SYSTEMS, alerts, collectors, dashboards, datasources, files, folder, read};

/// Whether a program is on PATH; if not, the output says what is not tested.
fn is_there(program: &str, untested: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    if !found {
        skip(&format!("{program} is not on PATH; {untested}"));
    }
    found
}

#[expect(clippy::print_stderr, reason = "a test that did not run must not look as if it had")]
fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

/// Runs a program in `compose/` and asserts that it is content. What it printed.
#[track_caller]
fn assert_content(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}{complaint}");
    said
}

/// Components that a configuration names and that a program does not have, as its `components` tells.
fn unknown(configuration: &Value, components: &Value) -> BTreeSet<String> {
    let sections = ["receivers", "processors", "exporters", "connectors", "extensions"];
    let missing = sections.iter().flat_map(|section| {
        let has = move |id: &str| items(&components[*section]).iter().any(|component| component["name"] == kind(id));
        entries(&configuration[section]).map(|(id, _)| id).filter(move |id| !has(id))
    });
    missing.map(str::to_owned).collect()
}

#[test]
fn the_collectors_accept_their_configurations() {
    let (mut jaegers, mut others) = (collectors(), collectors());
    jaegers.retain(|_, configuration| is_jaeger(configuration));
    others.retain(|_, configuration| !is_jaeger(configuration));
    for (program, configurations) in [("otelcol-contrib", others), ("jaeger", jaegers)] {
        if !is_there(program, "nobody validates its configurations") {
            continue;
        }
        let components = yaml(&assert_content(program, &["components"]));
        for (name, configuration) in configurations {
            let unknown = unknown(&configuration, &components);
            if unknown.is_empty() {
                assert_content(program, &["validate", &format!("--config=file:{name}")]);
            } else {
                skip(&format!("{name}: this {program} is built without {unknown:?}"));
            }
        }
    }
}

#[test]
fn prometheus_accepts_its_configuration_and_its_rules_pass_their_tests() {
    if !is_there("promtool", "nobody checks Prometheus' files") {
        return;
    }
    let (rules, tests) = alerts::rules_and_tests();
    for name in &rules {
        assert_content("promtool", &["check", "rules", name]);
    }
    for name in &tests {
        assert_content("promtool", &["test", "rules", name]);
    }
    // In the container the files are elsewhere.
    let here = folder().join("prometheus");
    let moved = read("prometheus/prometheus.yaml").replace("/etc/prometheus", &here.display().to_string());
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("prometheus.yaml");
    fs::write(&path, moved).unwrap();
    assert_content("promtool", &["check", "config", &path.display().to_string()]);
}

/// A dashboard's expression with something in the place of Grafana's variables.
fn filled(expression: &str) -> String {
    let mut filled = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once('$') {
        let (name, after) = match after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some((name, after)) => (name.split(':').next().unwrap_or_default(), after),
            None => after
                .split_at(after.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(after.len())),
        };
        filled += before;
        filled += if name.starts_with("__") { "5m" } else { name };
        rest = after;
    }
    filled + rest
}

#[test]
fn every_expression_of_a_dashboard_is_one() {
    assert_eq!(filled("a{b=~\"$c\"}[$__rate_interval] + ${d:regex}"), "a{b=~\"c\"}[5m] + d");
    if !is_there("promtool", "nobody parses the dashboards' expressions") {
        return;
    }
    let (dashboards, kinds) = (dashboards::dashboards(), datasources::kinds());
    let scratch = tempfile::tempdir().unwrap();
    for (name, dashboard) in &dashboards {
        let expressions = dashboards::expressions(dashboard, "prometheus", &kinds);
        let rule =
            |(at, expression): (usize, &&str)| json!({"record": format!("panel:{at}"), "expr": filled(expression)});
        let rules: Vec<_> = expressions.iter().enumerate().map(rule).collect();
        if rules.is_empty() {
            continue;
        }
        let path = scratch.path().join(Path::new(name).file_name().unwrap());
        fs::write(&path, json!({"groups": [{"name": name, "rules": rules}]}).to_string()).unwrap();
        assert_content("promtool", &["check", "rules", &path.display().to_string()]);
    }
}

#[test]
fn loki_accepts_its_configuration() {
    if is_there("loki", "nobody verifies its configuration") {
        assert_content("loki", &["-verify-config", "-config.file=loki.yaml"]);
    }
}

#[test]
fn compose_accepts_its_files() {
    if !is_there("docker", "nobody checks the compose files") {
        return;
    }
    if !Command::new("docker").args(["compose", "version"]).output().unwrap().status.success() {
        return skip("docker has no compose; nobody checks the compose files");
    }
    for (name, _) in SYSTEMS {
        assert_content("docker", &["compose", "--profile", "*", "--file", name, "config", "--quiet"]);
    }
}

#[test]
fn kustomize_makes_the_base() {
    if !is_there("kubectl", "nobody builds the Kubernetes base") {
        return;
    }
    let built = crate::compose::document::documents(&assert_content("kubectl", &["kustomize", "kubernetes"]));
    let kinds = built.iter().fold(BTreeMap::<_, usize>::new(), |mut kinds, object| {
        *kinds.entry(text(&object["kind"])).or_default() += 1;
        kinds
    });
    assert!(kinds.contains_key("NetworkPolicy") && kinds.contains_key("ConfigMap"), "{kinds:?}");
    let outside =
        built.iter().filter(|object| object["kind"] != "Namespace" && object["metadata"]["namespace"] != "throughline");
    assert_eq!(outside.map(|object| &object["metadata"]).collect::<Vec<_>>(), [&Value::Null; 0]);
}

#[test]
fn the_shell_accepts_every_script() {
    let scripts: Vec<_> = files("", &[""]).into_iter().filter(|name| read(name).starts_with("#!")).collect();
    assert!(scripts.contains(&"e2e".to_owned()), "{scripts:?}");
    for name in scripts {
        assert!(read(&name).starts_with("#!/usr/bin/env bash\n"), "{name} is for another shell");
        assert_content("bash", &["-n", &name]);
        let mode = fs::metadata(folder().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{name} cannot be started");
    }
}
