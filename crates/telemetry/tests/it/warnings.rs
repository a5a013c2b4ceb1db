//! What is wrong with the environment is told once, by name and not by value, however a program sets its logs up.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use telemetry::{Environment, Service, Telemetry};
use tokio::runtime::Builder;
use tracing_subscriber::prelude::*;

/// Set for the process that is the application, to what it does.
const APPLICATION: &str = "WARNINGS_APPLICATION";

/// How long the application waits to be told that everything was seen.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// Runs the application, lets it end once it has told of everything, and says what it told.
fn run(what: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = "warnings::what_is_wrong_is_told_once_by_init_and_beside_a_subscriber_of_one_s_own";
    command.args(["--exact", test, "--nocapture"]).env_clear().env(APPLICATION, what).envs(EXPORTERS).envs(WRONG);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut told, mut stderr) = (String::new(), BufReader::new(child.stderr.take().unwrap()));
    while WRONG.iter().any(|(name, _)| !told.contains(name)) {
        assert_ne!(stderr.read_line(&mut told).unwrap(), 0, "{told}");
    }
    drop(child.stdin.take());
    stderr.read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success(), "{told}");
    told
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
    let (done, is_done) = channel();
    thread::spawn(move || done.send(io::stdin().read_to_end(&mut Vec::new())));
    // Whoever misses something sees it by the end of what is told.
    let _ = is_done.recv_timeout(PATIENCE);
    // What is still to be told stands before this in the one queue of the exporter's thread.
    let flushed = telemetry.flush(PATIENCE);
    Builder::new_current_thread().build().unwrap().block_on(flushed);
}
