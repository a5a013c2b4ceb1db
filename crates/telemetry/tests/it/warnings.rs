//! What is wrong with the environment is told once, by name and not by value, however a program sets its logs up.

use std::process::{Command, Output};
use std::time::Duration;

use telemetry::{Environment, Service, Telemetry};
use tracing_subscriber::prelude::*;

/// Set for the process that is the application, to what it does.
const APPLICATION: &str = "WARNINGS_APPLICATION";

/// Nothing waits for a collector.
const EXPORTERS: [(&str, &str); 3] =
    [("OTEL_TRACES_EXPORTER", "console"), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];

/// Wrong, each of them.
const WRONG: [(&str, &str); 5] = [
    ("OTEL_BSP_MAX_QUEUE_SIZE", "hunter2"),
    ("OTEL_TRACES_SAMPLER", "hunter2"),
    ("OTEL_PROPAGATORS", "hunter2,tracecontext,hunter2too"),
    ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET,hunter2 too"),
    ("TELEMETRY_SAMPLING_RULES", "hunter2,*=hunter2"),
];

#[test]
fn what_is_wrong_is_told_once_by_init_and_beside_a_subscriber_of_one_s_own() {
    if let Ok(what) = std::env::var(APPLICATION) {
        return application(&what);
    }
    for what in ["init", "own"] {
        let told = run(what);
        for (name, _) in WRONG {
            assert_eq!(told.matches(name).count(), 1, "{what}: {told}");
        }
        assert!(!told.contains("hunter2"), "{what}: {told}");
    }
}

/// Runs the application, and says what it told.
fn run(what: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = "warnings::what_is_wrong_is_told_once_by_init_and_beside_a_subscriber_of_one_s_own";
    command.args(["--exact", test, "--nocapture"]).env_clear().env(APPLICATION, what).envs(EXPORTERS).envs(WRONG);
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{stderr}");
    stderr
}

fn application(what: &str) {
    let (service, environment) = (Service::new("application", "0"), Environment::from_process());
    let telemetry = match what {
        "init" => telemetry::init(service, environment).unwrap(),
        _ => {
            let telemetry = Telemetry::new(&service, &environment).unwrap();
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            tracing_subscriber::registry().with(telemetry.tracing_layer()).with(lines).init();
            telemetry
        }
    };
    std::thread::sleep(Duration::from_millis(500));
    drop(telemetry);
}
