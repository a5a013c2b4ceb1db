//! What the README tells is so: its commands, the tree and the table of settings. So is what the demo prints to try.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use tokio::process::Command;
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt;

use crate::calls::{is_replayed, is_spelled, trace_headers};
use crate::grpcurl::{Grpcurl, What};
use crate::markdown::{Told, commands};
use crate::process::demo;
use crate::shell::words;
use crate::shop::PATIENCE;
use crate::up::Up;

pub(crate) fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The arguments that a command line gives to the demo, if it is one of the demo's.
fn for_the_demo(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    let known: Vec<_> = words.iter().map(String::as_str).collect();
    let arguments = match &known[..] {
        ["cargo", "demo", arguments @ ..] | ["cargo", "run", "-p", "demo", "--", arguments @ ..] => arguments,
        ["cargo", "run", "-p", "demo"] => &[],
        [program, arguments @ ..] if *program == env!("CARGO_BIN_EXE_demo") => arguments,
        _ => return None,
    };
    Some(arguments.iter().map(|argument| (*argument).to_owned()).collect())
}

/// The address of the running demo's that stands for a documented one.
fn address(up: &Up, documented: &str) -> String {
    let member = match documented.rsplit(':').next() {
        Some("50050") => "gateway",
        Some("50051") => "order",
        Some("50052") => "payment",
        _ => return documented.to_owned(),
    };
    up.addresses[member][0].to_string()
}

/// Runs a line of `grpcurl` by reflection and asserts that it ends as it should: twice, it is there to be repeated.
async fn assert_grpcurl(up: &Up, told: &Told) {
    let keeps_its_key = told.line.contains("idempotency_key") && !told.line.contains("$(uuidgen)");
    for repeated in [false, true] {
        let command = Grpcurl::parse(&words(&told.line));
        let headers = match (command.run(&address(up, &command.address)).await, &told.error) {
            (Ok((printed, headers)), None) => {
                assert!(!printed.is_empty(), "{told:?}");
                headers
            }
            (Err(status), Some(error)) => {
                assert!(is_spelled(status.code(), error), "{told:?}: {status:?}");
                let fields = status.get_details_bad_request().map_or(0, |bad| bad.field_violations.len());
                assert_eq!(status.code() == Code::InvalidArgument, fields > 0, "{status:?}");
                status.metadata().clone()
            }
            (answer, _) => panic!("{told:?}: {answer:?}"),
        };
        if let What::Call(_) = command.what {
            let (trace_id, _) = trace_headers(&headers);
            assert!(!told.line.contains("traceparent") || told.line.contains(&trace_id), "{told:?}: {trace_id}");
            assert_eq!(is_replayed(&headers), keeps_its_key && repeated, "{told:?}");
        }
    }
}

/// Runs a command of the demo's on the running one.
async fn assert_demo(up: &Up, arguments: &[String]) {
    let url = |member: &str, port: usize| format!("http://{}", up.addresses[member][port]);
    let mut command = demo();
    command.args(arguments).env("DEMO_GATEWAY", url("gateway", 0)).env("DEMO_VIEW", url("collector", 2));
    command.env("DEMO_ORDER", url("order", 0)).env("DEMO_PAYMENT", url("payment", 0));
    for (name, member) in [("GATEWAY", "gateway"), ("ORDER", "order"), ("PAYMENT", "payment")] {
        command.env(format!("DEMO_{name}_ADMIN"), url(member, 1));
    }
    let run = async {
        loop {
            let output = command.output().await.unwrap();
            let complaint = String::from_utf8(output.stderr).unwrap();
            // A service sends its spans some moments after it has answered: sooner than anybody can type.
            if !complaint.contains("has no trace") {
                break (output.status.code(), String::from_utf8(output.stdout).unwrap(), complaint);
            }
        }
    };
    let (code, said, complaint) = timeout(PATIENCE, run).await.unwrap();
    let refused = said.starts_with("PlaceOrder") && !said.starts_with("PlaceOrder  OK");
    assert_eq!(code, Some(refused.into()), "{arguments:?}: {said}{complaint}");
    let drawn = ["order", "trace", "load"].contains(&arguments[0].as_str());
    assert_eq!(drawn, said.contains('█'), "{arguments:?}: {said}");
}

#[test]
fn every_command_is_run_by_a_test_or_by_ci() {
    let known = |line: &str| {
        line.starts_with("grpcurl ") || for_the_demo(line).is_some() || line == TESTS || is_run_end_to_end(line)
    };
    let told = commands(&readme());
    assert!(told.iter().any(|told| told.line.starts_with("grpcurl ")), "README.md has no line of grpcurl");
    let unknown: Vec<_> = told.iter().filter(|told| !known(&told.line)).collect();
    assert!(unknown.is_empty(), "nobody runs {unknown:?}");
}

/// Whether `compose/e2e` runs the line. It spells options out, and gives the demo's `load` a shorter time.
fn is_run_end_to_end(line: &str) -> bool {
    let end_to_end = include_str!("../../../../compose/e2e");
    let Some((_, command)) = line.split_once("docker compose -f compose/compose.yaml ") else { return false };
    let spelled = match command.split_once("run --rm demo ") {
        Some((_, asked)) => format!("demo {}", asked.split(" --").next().unwrap_or(asked)),
        None => command.replace("up -d", "up --detach").replace("down -v", "down --volumes"),
    };
    end_to_end.contains(&spelled)
}

/// What CI runs.
const TESTS: &str = "cargo test --workspace";

#[tokio::test]
async fn the_demo_understands_each_of_its_commands() {
    for arguments in commands(&readme()).iter().filter_map(|told| for_the_demo(&told.line)) {
        let output = demo().args(&arguments).arg("--help").output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn each_command_for_a_running_demo_works_in_the_order_of_the_text() {
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(data.path()).await;
    for told in commands(&readme()) {
        match for_the_demo(&told.line) {
            Some(arguments) if arguments.first().is_some_and(|command| command != "once") => {
                assert_demo(&up, &arguments).await;
            }
            None if told.line.starts_with("grpcurl ") => assert_grpcurl(&up, &told).await,
            _ => {}
        }
    }
    up.interrupt().await;
}

#[tokio::test]
async fn each_command_that_the_demo_prints_works_there() {
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(data.path()).await;
    let (_, to_try) = up.screen.split_once("Try, in another terminal:\n").unwrap();
    let lines: Vec<_> = to_try.lines().map_while(|line| line.strip_prefix("  ")).collect();
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        match for_the_demo(line) {
            Some(arguments) => assert_demo(&up, &arguments).await,
            None => assert_grpcurl(&up, &Told { line: line.to_owned(), error: None }).await,
        }
    }
    up.interrupt().await;
}

#[tokio::test]
async fn each_line_of_grpcurl_works_with_the_real_one() {
    if Command::new("grpcurl").arg("-version").output().await.is_err() {
        #[expect(clippy::print_stderr, reason = "a test that did not run must not look as if it had")]
        {
            eprintln!("SKIPPED: grpcurl is not on PATH; its lines are run by reflection all the same");
        }
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(data.path()).await;
    for told in commands(&readme()).iter().filter(|told| told.line.starts_with("grpcurl ")) {
        let mut words = words(&told.line);
        let place = words.iter_mut().find(|word| word.starts_with("127.0.0.1:")).unwrap();
        *place = address(&up, place);
        let output = timeout(PATIENCE, Command::new("grpcurl").args(&words[1..]).output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), told.error.is_none(), "{told:?}: {said}");
        assert!(!words.contains(&"-v".to_owned()) || said.contains("traceresponse") && said.contains("x-trace-id"));
    }
    up.interrupt().await;
}

#[test]
fn it_shows_the_tree_of_a_paid_order() {
    assert!(readme().contains(&format!("```text\n{}```", demo::PAID_ORDER)), "the tree is another one");
}

#[test]
fn its_table_has_every_setting_of_every_server_and_no_other() {
    let servers = [
        bank::Config::command(),
        payment::Config::command(),
        order::Config::command(),
        notification::Config::command(),
        gateway::Config::command(),
        collector::Config::command(),
    ];
    let arguments = servers.iter().flat_map(clap::Command::get_arguments);
    let settings: BTreeSet<_> = arguments.filter_map(|argument| argument.get_env()?.to_str()).collect();

    let readme = readme();
    let (_, table) = readme.split_once("## Settings").unwrap();
    let names = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let names = names.flat_map(|(names, _)| names.split("`, `"));
    let of_telemetry = |name: &str| name.starts_with("OTEL_") || name.starts_with("TELEMETRY_") || name == "RUST_LOG";
    let told: BTreeSet<_> = names.filter(|name| !of_telemetry(name)).collect();
    assert_eq!(told, settings);
}
