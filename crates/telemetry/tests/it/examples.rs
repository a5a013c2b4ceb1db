//! Each of the crate's examples does what its first lines say, run as its reader would run it.
//!
//! `cargo test` builds them before it runs any test. With `--test it` it builds no example, and those are run that
//! `cargo build -p telemetry --examples` left.

mod console;
mod w3c;

use std::path::PathBuf;
use std::process::{Command, Output};

use console::{lines, trace};

/// What a program wrote to stdout.
fn run(name: &str, environment: &[(&str, &str)]) -> String {
    let Output { status, stdout, stderr } = example(name, environment).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{name}: {status}\n{stdout}\n{stderr}");
    stdout
}

/// The example's binary with this environment and no other. It stands beside the test's own.
pub(crate) fn example(name: &str, environment: &[(&str, &str)]) -> Command {
    let test = std::env::current_exe().unwrap();
    let mut path: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: run `cargo build -p telemetry --examples` first", path.display());
    let mut command = Command::new(path);
    command.env_clear().envs(environment.iter().copied());
    command
}

/// Spans on stdout, and nothing anywhere else.
const SPANS: [(&str, &str); 3] =
    [("OTEL_TRACES_EXPORTER", "console"), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];

#[test]
fn minimal() {
    let written = run("minimal", &SPANS);
    trace(&written).assert_tree(
        "
        minimal CLIENT greeter.v1.Greeter/SayHello [rpc.status_code=OK]
          minimal SERVER greeter.v1.Greeter/SayHello [rpc.status_code=OK]
    ",
    );
    assert_eq!(lines(&written), ["hello Ada", "spans: 2 ended, 2 exported"]);
}

#[test]
fn axum_and_tonic() {
    let written = run("axum_and_tonic", &SPANS);
    let trace = trace(&written);
    trace.assert_tree(
        "
        axum-and-tonic INTERNAL visit
          axum-and-tonic CLIENT GET /hello/{name} [http.response.status_code=200]
            axum-and-tonic SERVER GET /hello/{name} [http.response.status_code=200]
              axum-and-tonic CLIENT greeter.v1.Greeter/SayHello ERROR [rpc.status_code=UNAVAILABLE]
                axum-and-tonic SERVER greeter.v1.Greeter/SayHello ERROR [rpc.status_code=UNAVAILABLE]
              axum-and-tonic CLIENT greeter.v1.Greeter/SayHello [rpc.status_code=OK]
                axum-and-tonic SERVER greeter.v1.Greeter/SayHello [rpc.status_code=OK]
          axum-and-tonic CLIENT GET /panic ERROR [http.response.status_code=500]
            axum-and-tonic SERVER GET /panic ERROR [http.response.status_code=500]
    ",
    );
    let panicked = trace.span("SERVER", "GET /panic");
    assert_eq!(panicked.attribute("error.type"), Some("panic"));
    let [(event, attributes)] = &panicked.events[..] else { panic!("{panicked:?}") };
    let message = ("exception.message".to_owned(), "the handler's own".to_owned());
    assert!(event == "exception" && attributes.contains(&message), "{panicked:?}");
    let said = ["GET /hello/Ada: 200 hello Ada", "GET /panic: 500 ", "spans: 9 ended, 9 exported"];
    assert_eq!(lines(&written), said);
}

#[test]
fn interceptors() {
    let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let said = [
        &*format!("the caller sends {sent}"),
        &*format!("back received {sent}"),
        "back is in trace 4bf92f3577b34da6a3ce929d0e0e4736",
    ];
    assert_eq!(lines(&run("interceptors", &[])), said);
}

#[test]
fn edge() {
    let written = run("edge", &SPANS);
    let trace = trace(&written);
    trace.assert_tree(
        "
        edge SERVER GET /hello/{name}
          edge CLIENT greeter.v1.Greeter/SayHello
            greeter SERVER greeter.v1.Greeter/SayHello
    ",
    );
    let root = trace.span("SERVER", "GET /hello/{name}");
    let stranger = ("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), "00f067aa0ba902b7".to_owned());
    assert_ne!(root.trace_id, stranger.0);
    assert_eq!(root.links, [stranger]);
    let answered = format!("the edge answers in trace {}", root.trace_id);
    assert!(lines(&written).contains(&&*answered), "{written}");
}

#[test]
fn own_metrics() {
    let environment = [("OTEL_METRICS_EXPORTER", "console"), ("OTEL_TRACES_EXPORTER", "none"), SPANS[2]];
    let written = run("own_metrics", &environment);
    let in_the_middle = [
        "kitchen kitchen.order.weight count 2, sum 900 g, from 300 g to 600 g",
        "kitchen kitchen.orders [order.state=MADE] 2 {order}",
        "kitchen kitchen.orders.in_flight 1 {order}",
        "kitchen kitchen.stock.flour 100 g",
    ];
    let at_the_end = [
        "kitchen kitchen.order.weight count 3, sum 1500 g, from 300 g to 600 g",
        "kitchen kitchen.orders [order.state=MADE] 2 {order}",
        "kitchen kitchen.orders [order.state=SOLD_OUT] 1 {order}",
        "kitchen kitchen.orders.in_flight 0 {order}",
        "kitchen kitchen.stock.flour 100 g",
    ];
    let (before, after) = written.split_once("100 g of flour are left\n").unwrap_or_else(|| panic!("{written}"));
    assert_eq!(before.lines().collect::<Vec<_>>(), in_the_middle);
    assert_eq!(after.lines().collect::<Vec<_>>(), at_the_end);
}

#[test]
fn without_certificates_a_program_begins_and_says_why_nothing_is_exported() {
    for protocol in ["grpc", "http/protobuf"] {
        let nowhere = [
            ("SSL_CERT_FILE", "/nowhere"),
            ("SSL_CERT_DIR", "/nowhere"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:1"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            SPANS[1],
            SPANS[2],
        ];
        let Output { stdout, stderr, .. } = example("minimal", &nowhere).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(lines(&stdout), ["hello Ada", "spans: 2 ended, 0 exported"], "{stderr}");
        let told: Vec<_> = stderr.lines().filter(|line| line.contains("spans cannot be exported")).collect();
        let [told] = &told[..] else { panic!("{stderr}") };
        assert!(told.contains("localhost:1: ") && told.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{told}");
    }
}

#[test]
fn without_a_collector_an_example_works_and_says_what_was_not_exported() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let written = run("minimal", &[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{nobody}"))]);
    assert_eq!(lines(&written), ["hello Ada", "spans: 2 ended, 0 exported"]);
}

#[test]
fn outage() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (endpoint, spool) = (format!("http://{nobody}"), tempfile::tempdir().unwrap());
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("TELEMETRY_SPOOL_DIR", spool.path().to_str().unwrap()),
    ];
    let written = |arguments: [&str; 2]| {
        let Output { status, stdout, stderr } = example("outage", &settings).args(arguments).output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    };
    let first = written(["50", "1"]);
    let last = "ended 50 = exported 0 + spooled 50 + queued 0 + rejected 0 + dropped 0; ";
    assert!(first.lines().last().unwrap().starts_with(last), "{first}");
    let second = written(["0", "0"]);
    assert!(second.ends_with("of an earlier process: exported 0, waiting 50\n"), "{second}");
}
