//! Exporting exports nothing of itself: with the loudest filter, what arrives is what the application has ended and
//! logged, and no more.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use telemetry::{Environment, Service, TrustTrace};
use tokio::runtime::Builder;
use tokio::sync::Notify;

use crate::export::{Collector, collector, get};
use crate::kinds::{client, serve, told};

/// How many calls the application makes, each of two spans, and how many records it logs.
const CALLS: u64 = 20;

/// All that there is: libraries are kept quieter unless they are named.
const LOUD: &str = "trace,h2=trace,hyper=trace,hyper_util=trace,tonic=trace,tower=trace,reqwest=trace,rustls=trace,\
                    opentelemetry=trace";

/// Set for the process that is the application.
const APPLICATION: &str = "FEEDBACK_APPLICATION";

#[test]
fn nothing_of_exporting_is_exported() {
    if std::env::var_os(APPLICATION).is_some() {
        return application();
    }
    for (protocol, library) in [("grpc", "h2::"), ("http/protobuf", "hyper_util::")] {
        for filter in ["trace", LOUD] {
            let collector = collector();
            let told = run(&collector, protocol, filter);
            let is_loud = |line: &&str| line.contains(r#""level":"TRACE","target":""#) && line.contains(library);
            assert_eq!(told.lines().any(|line| is_loud(&line)), filter == LOUD, "{told}");
            assert!(told.contains("metric points cannot be exported"), "{told}");
            let stats: Value = serde_json::from_str(&get(format!("{}/api/stats", collector.view))).unwrap();
            assert_eq!(stats["spans"], 2 * CALLS, "{protocol}, {filter}: {stats}");
            assert_eq!(
                targets(&collector),
                BTreeMap::from([(module_path!().to_owned(), CALLS)]),
                "{protocol}, {filter}"
            );
            assert_eq!(stats["logs"], CALLS, "{protocol}, {filter}: {stats}");
        }
    }
}

/// Runs the application, to which nobody takes metrics. Says what it told.
fn run(collector: &Collector, protocol: &str, filter: &str) -> String {
    let endpoint = if protocol == "grpc" { &collector.otlp } else { &collector.otlp_http };
    let settings = [
        (APPLICATION, "1"),
        ("RUST_LOG", filter),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "5"),
    ];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "feedback::nothing_of_exporting_is_exported", "--nocapture"]);
    let Output { status, stdout, stderr } = command.env_clear().envs(settings).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{}\n{stderr}", String::from_utf8_lossy(&stdout));
    stderr
}

/// How many records have arrived from each target. The application logs outside its calls.
fn targets(collector: &Collector) -> BTreeMap<String, u64> {
    let logs: Value = serde_json::from_str(&get(format!("{}/api/logs", collector.view))).unwrap();
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let mut targets = BTreeMap::new();
    for scope in list(&logs, "resourceLogs").iter().flat_map(|from| list(from, "scopeLogs")) {
        let target = scope["scope"]["name"].as_str().unwrap().to_owned();
        *targets.entry(target).or_default() += list(&scope, "logRecords").len() as u64;
    }
    targets
}

/// Makes its calls and logs its records, while libraries and the pipeline log what they may.
fn application() {
    let environment: Environment = std::env::vars().collect();
    let telemetry = telemetry::init(Service::new("application", "0"), environment).unwrap();
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(async {
        let layer = telemetry.rpc_server().trust(TrustTrace::All);
        let address = serve(layer, told(&Arc::new(Notify::new()))).await;
        let mut client = client(&telemetry, address);
        for number in 0..CALLS {
            client.call("Unary", "ok").await.unwrap();
            tracing::info!(number, "called");
        }
        libraries_warn();
        for _ in 0..3 {
            // What the one has led to would go with the next.
            telemetry.flush(Duration::from_secs(10)).await;
        }
        telemetry.shutdown(Duration::from_secs(10)).await;
    });
}

/// Warnings of what is below the exporter, as its libraries seldom give them, and spans.
fn libraries_warn() {
    macro_rules! warn {
        ($($target:literal)*) => {$(
            tracing::warn!(target: $target, "of a library");
            tracing_log::log::warn!(target: $target, "of a library");
            tracing::info_span!(target: $target, "of a library").in_scope(|| {});
        )*};
    }
    warn!("h2::codec" "hyper::proto" "hyper_util::client" "tonic::transport" "tower::buffer" "reqwest::connect");
    warn!("rustls::conn" "opentelemetry" "opentelemetry_sdk" "opentelemetry-otlp");
}
