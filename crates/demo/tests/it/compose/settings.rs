//! The environment of our programs: only settings that they have, with values that they take.

use std::collections::BTreeSet;
use std::process::Command;

use clap::error::ContextKind;
use clap::{ArgAction, CommandFactory};
use serde_json::Value;

use crate::compose::document::{assert_finds, entries, items, text};
use crate::compose::kustomization::Base;
use crate::compose::pods::{containers, pods};
use crate::compose::{Faults, README, SYSTEMS, assert_sound, dockerfile, images, read, system};

/// A variable, and what it is set to, where that is known.
type Setting = (String, Option<String>);

/// What libraries in our programs read by themselves.
const OF_LIBRARIES: [&str; 2] = ["MALLOC_ARENA_MAX", "SQLITE_TMPDIR"];

/// The names that all our servers know besides their own.
fn shared() -> BTreeSet<String> {
    let readme = read(README);
    let names = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let names = names.flat_map(|(names, _)| names.split("`, `"));
    let is_shared = |name: &&str| ["OTEL_", "TELEMETRY_", "RUST_LOG"].iter().any(|start| name.starts_with(start));
    let told: BTreeSet<_> = names.filter(is_shared).collect();
    let of_signals = told.iter().flat_map(|name| {
        let of_traces = name.replace("_OTLP_", "_OTLP_TRACES_");
        let of_logs = name.replace("_OTLP_", "_OTLP_LOGS_").replace("_BSP_", "_BLRP_");
        let of_metrics = name.replace("_OTLP_", "_OTLP_METRICS_");
        [(*name).to_owned(), of_traces, of_logs, of_metrics]
    });
    of_signals.chain(OF_LIBRARIES.map(str::to_owned)).collect()
}

fn command(program: &str) -> Option<clap::Command> {
    match program {
        "bank" => Some(bank::Config::command()),
        "payment" => Some(payment::Config::command()),
        "order" => Some(order::Config::command()),
        "gateway" => Some(gateway::Config::command()),
        _ => None,
    }
}

/// The names that any of the demo's commands knows, as its help says.
fn of_the_demo() -> BTreeSet<String> {
    let help = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_demo")).env_clear().args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let overview = help(&["--help"]);
    let (_, commands) = overview.split_once("Commands:\n").unwrap();
    let commands = commands.lines().map_while(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let texts = commands.filter_map(|line| line.split(' ').next()).map(|command| help(&["help", command]));
    let names = |text: &str| {
        text.split("[env: ")
            .skip(1)
            .filter_map(|rest| Some(rest.split(['=', ']']).next()?.to_owned()))
            .collect::<Vec<_>>()
    };
    texts.flat_map(|text| names(&text)).collect()
}

/// What is set in a compose file's service, as a mapping or as a list.
fn of_service(service: &Value) -> Vec<Setting> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = entries(&service["environment"]).map(|(name, value)| (name.to_owned(), Some(plain(value))));
    let lines =
        items(&service["environment"]).iter().map(|line| text(line).split_once('=').unwrap_or((text(line), "")));
    pairs.chain(lines.map(|(name, value)| (name.to_owned(), Some(value.to_owned())))).collect()
}

/// What is set in a pod's container, without what is there only for other values to be put together of.
fn of_container(base: &Base, container: &Value) -> Vec<Setting> {
    let values = items(&container["env"]).iter().map(|set| text(&set["value"]));
    let parts: Vec<_> =
        values.flat_map(|value| value.split("$(").skip(1).filter_map(|rest| rest.split(')').next())).collect();
    base.environment(container).into_iter().filter(|(name, _)| !parts.contains(&name.as_str())).collect()
}

/// Settings that a program does not have, and values that it does not take.
fn misunderstood(program: &str, settings: impl IntoIterator<Item = Setting>) -> Faults {
    let Some(mut command) = command(program) else {
        let known = of_the_demo();
        let has = |name: &str| known.contains(name) || OF_LIBRARIES.contains(&name);
        let unknown = settings.into_iter().filter(|(name, _)| !has(name));
        return unknown.map(|(name, _)| format!("{program} has no setting {name}")).collect();
    };
    let (mut faults, mut words, shared) = (Faults::new(), vec![program.to_owned()], shared());
    for (name, value) in settings {
        let argument = command.get_arguments().find(|argument| argument.get_env().is_some_and(|env| env == &*name));
        match (argument.map(|argument| (argument.get_action(), argument.get_long().unwrap_or_default())), value) {
            (None, _) if !shared.contains(&name) => faults.push(format!("{program} has no setting {name}")),
            (None, _) | (Some(_), None) => {}
            (Some((ArgAction::SetTrue, _)), Some(value)) if ["true", "false"].contains(&&*value) => {}
            (Some((_, long)), Some(value)) => words.push(format!("--{long}={value}")),
        }
    }
    if let Err(refused) = command.try_get_matches_from_mut(words) {
        let of = |kind| refused.get(kind).map(ToString::to_string).unwrap_or_default();
        let (argument, value) = (of(ContextKind::InvalidArg), of(ContextKind::InvalidValue));
        faults.push(format!("{program}: {argument} does not take {value:?}"));
    }
    faults
}

fn of_system(system: &Value) -> Faults {
    let programs = entries(&system["services"])
        .filter_map(|(_, service)| Some((images::program(text(&service["image"]))?, of_service(service))));
    programs.flat_map(|(program, set)| misunderstood(program, set)).collect()
}

#[test]
fn every_setting_of_a_compose_file_is_understood() {
    for (name, _) in SYSTEMS {
        assert_sound(name, &of_system(&system(name)));
    }
}

#[test]
fn every_setting_of_an_image_is_understood() {
    for program in ["bank", "payment", "order", "gateway", "demo"] {
        let set = dockerfile::environment(program).into_iter().map(|(name, value)| (name, Some(value)));
        assert_sound("Dockerfile", &misunderstood(program, set));
    }
}

#[test]
fn every_setting_of_a_pod_is_understood() {
    let base = Base::read();
    for pod in pods(&base.objects) {
        for container in containers(pod.spec) {
            if let Some(program) = images::program(text(&container["image"])) {
                assert_sound(pod.name, &misunderstood(program, of_container(&base, container)));
            }
        }
    }
}

#[test]
fn a_setting_that_a_program_does_not_have_or_take_is_found() {
    let sound = r#"
services:
  payment:
    image: throughline/payment:0.1.0
    environment: {PAYMENT_BANK: "http://bank:50060", REFLECTION: "true", OTEL_BSP_SCHEDULE_DELAY: 200}
  gateway:
    image: throughline/gateway:0.1.0
    environment: [ GATEWAY_TRUST_TRACE=all, OTEL_BLRP_SCHEDULE_DELAY=200, RUST_LOG=info ]
  demo:
    image: throughline/demo:0.1.0
    environment: {DEMO_VIEW: "http://jaeger:16686"}
  loki:
    image: grafana/loki:3.7.6
    environment: {ANYTHING: goes}
"#;
    assert_finds(
        of_system,
        sound,
        &[
            ("PAYMENT_BANK", "ORDER_BANK", "payment has no setting ORDER_BANK"),
            ("http://bank:50060", "bank:50060", "payment: --bank <URL> does not take \"bank:50060\""),
            ("\"true\"", "perhaps", "payment: --reflection does not take \"perhaps\""),
            ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_DELAY", "payment has no setting OTEL_BSP_DELAY"),
            ("TRACE=all", "TRACE=some", "gateway: --trust-trace <all|none> does not take \"some\""),
            ("OTEL_BLRP", "OTEL_BLURP", "gateway has no setting OTEL_BLURP_SCHEDULE_DELAY"),
            ("DEMO_VIEW", "DEMO_JAEGER", "demo has no setting DEMO_JAEGER"),
        ],
    );
}
