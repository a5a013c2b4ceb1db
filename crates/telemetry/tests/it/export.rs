//! Spans and metrics arrive at a real collector, from any runtime and however a program ends; without one, nothing waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use collector::{Config, Listeners};
use futures_util::FutureExt;
use telemetry::{Environment, ExportState, Report, Service, Telemetry, TrustTrace};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::kinds::{client, serve, told};

/// A collector on a runtime of its own, as another process would be.
pub(crate) struct Collector {
    pub(crate) otlp: String,
    pub(crate) otlp_http: String,
    pub(crate) view: String,
    _runtime: Runtime,
}

pub(crate) fn collector() -> Collector {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let listeners = Listeners { grpc: bind(), http: bind(), query: bind() };
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (otlp, otlp_http, view) = (url(&listeners.grpc), url(&listeners.http), url(&listeners.query));
    runtime.spawn(collector::serve(listeners, Config::default(), std::future::pending()));
    Collector { otlp, otlp_http, view, _runtime: runtime }
}

/// The names of the services that the collector has spans of.
fn services(view: &str) -> String {
    get(format!("{view}/api/v3/services"))
}

const DURATION: &str = "rpc.server.call.duration";

/// How many data points of a service's metric have come.
fn points(view: &str, service: &str, metric: &str) -> u64 {
    let stats: serde_json::Value = serde_json::from_str(&get(format!("{view}/api/stats"))).unwrap();
    stats["metrics"][service][metric].as_u64().unwrap_or_else(|| panic!("{stats}"))
}

pub(crate) fn get(url: String) -> String {
    let client = Builder::new_current_thread().enable_all().build().unwrap();
    client.block_on(async { reqwest::get(url).await?.text().await }).unwrap()
}

fn exporting_to(otlp: &str, name: &str) -> Telemetry {
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp),
        ("OTEL_LOGS_EXPORTER", "none"),
        // Longer than any test: what arrives was flushed.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "600000"),
    ];
    Telemetry::new(&Service::new(name, "0"), &settings.into_iter().collect()).unwrap()
}

/// Makes a call: one CLIENT and one SERVER span.
async fn call(telemetry: &Telemetry) {
    let layer = telemetry.rpc_server().trust(TrustTrace::All);
    let address = serve(layer, told(&Arc::new(Notify::new()))).await;
    client(telemetry, address).call("Unary", "ok").await.unwrap();
}

#[test]
fn a_flush_sends_what_has_ended_from_a_runtime_of_one_thread_and_of_many() {
    let collector = collector();
    let runtimes = [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ];
    for (index, runtime) in runtimes.into_iter().enumerate() {
        let telemetry = exporting_to(&collector.otlp, &format!("runtime-{index}"));
        let report = runtime.block_on(async {
            call(&telemetry).await;
            telemetry.flush(Duration::from_secs(10)).await
        });
        assert_eq!((report.spans.ended, report.spans.exported, report.lost()), (2, 2, None));
        let measured = report.metric_points;
        assert!(measured.ended > 0 && measured.ended == measured.exported, "{measured:?}");
        assert!(services(&collector.view).contains(&format!("runtime-{index}")));
        assert_eq!(points(&collector.view, &format!("runtime-{index}"), DURATION), 1);
    }
}

#[test]
fn a_flush_and_a_shutdown_need_neither_a_timer_of_the_callers_nor_a_runtime() {
    let collector = collector();
    let telemetry = exporting_to(&collector.otlp, "timeless");
    Builder::new_current_thread().enable_all().build().unwrap().block_on(call(&telemetry));
    // Outside any runtime, as other executors poll.
    assert!(telemetry.flush(Duration::from_secs(10)).now_or_never().is_none());
    let timeless = Builder::new_current_thread().build().unwrap();
    let flushed = timeless.block_on(telemetry.flush(Duration::from_secs(10)));
    assert_eq!((flushed.spans.exported, flushed.lost()), (2, None));
    assert_eq!(timeless.block_on(telemetry.shutdown(Duration::from_secs(10))).spans, flushed.spans);
}

#[test]
fn a_shutdown_may_have_any_time_there_is() {
    let collector = collector();
    let telemetry = exporting_to(&collector.otlp, "patient");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async {
        call(&telemetry).await;
        telemetry.flush(Duration::MAX).await;
        telemetry.shutdown(Duration::MAX).await
    });
    assert_eq!((report.spans.exported, report.lost()), (2, None));
}

#[test]
fn a_shutdown_sends_the_last_spans_and_may_be_repeated() {
    let collector = collector();
    let telemetry = exporting_to(&collector.otlp, "stopped");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let reports = runtime.block_on(async {
        call(&telemetry).await;
        let first = telemetry.shutdown(Duration::from_secs(10)).await;
        (first, telemetry.shutdown(Duration::from_secs(10)).await)
    });
    assert_eq!((reports.0.spans.exported, reports.0.lost()), (2, None));
    assert_eq!(reports.0, reports.1);
    assert!(services(&collector.view).contains("stopped"));
    assert_eq!(points(&collector.view, "stopped", DURATION), 1);
}

#[test]
fn a_program_that_only_drops_its_telemetry_also_in_a_panic_loses_nothing() {
    let collector = collector();
    let otlp = collector.otlp.clone();
    let panicking = std::thread::spawn(move || {
        let telemetry = exporting_to(&otlp, "panicked");
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(call(&telemetry));
        drop(runtime);
        panic!("the program's own");
    });
    panicking.join().unwrap_err();
    assert!(services(&collector.view).contains("panicked"));
    assert_eq!(points(&collector.view, "panicked", DURATION), 1);
}

#[test]
fn without_a_collector_calls_succeed_and_the_report_says_what_was_lost() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    // Bound and never accepted from: connections hang, and closed again: connections are refused.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [hanging.local_addr().unwrap(), refused] {
        let telemetry = exporting_to(&format!("http://{address}"), "lonely");
        let report = runtime.block_on(async {
            call(&telemetry).await;
            telemetry.shutdown(Duration::from_millis(500)).await
        });
        let spans = report.spans;
        assert_eq!((spans.ended, spans.exported, spans.queued, spans.lost()), (2, 0, 0, 2));
        assert!(report.metric_points.adds_up() && report.metric_points.lost() > 0, "{report:?}");
    }
}

#[test]
fn metrics_leave_by_themselves_and_where_they_are_told_to() {
    let (collector, nobody) = (collector(), "http://127.0.0.1:1");
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", nobody),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &collector.otlp),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "10"),
    ];
    let telemetry = Telemetry::new(&Service::new("periodic", "0"), &settings.into_iter().collect()).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(call(&telemetry));
    let patience = Instant::now() + Duration::from_secs(20);
    let arrived = || get(format!("{}/api/stats", collector.view)).contains(DURATION);
    // Two are the least that is periodic.
    while !arrived() || points(&collector.view, "periodic", DURATION) < 2 {
        assert!(Instant::now() < patience, "the metrics did not come");
    }
}

#[test]
fn a_disabled_sdk_exports_nothing() {
    let disabled: Environment = [("OTEL_SDK_DISABLED", "true")].into_iter().collect();
    let telemetry = Telemetry::new(&Service::new("quiet", "0"), &disabled).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async {
        call(&telemetry).await;
        telemetry.shutdown(Duration::from_secs(1)).await
    });
    assert_eq!(report, Report::default());
    assert_eq!(telemetry.exports().spans.state, ExportState::Off);
}

#[test]
fn spans_arrive_by_every_protocol_compressed_or_not() {
    let collector = collector();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for (protocol, endpoint) in
        [("grpc", &collector.otlp), ("http/protobuf", &collector.otlp_http), ("http/json", &collector.otlp_http)]
    {
        for compression in ["none", "gzip"] {
            let name = format!("{protocol}-{compression}");
            let settings = [
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
                ("OTEL_LOGS_EXPORTER", "none"),
            ];
            let telemetry = Telemetry::new(&Service::new(&name, "0"), &settings.into_iter().collect()).unwrap();
            let report = runtime.block_on(async {
                call(&telemetry).await;
                telemetry.shutdown(Duration::from_secs(10)).await
            });
            assert_eq!((report.spans.exported, report.lost()), (2, None), "{name}");
            assert_eq!(points(&collector.view, &name, DURATION), 1, "{name}");
            assert!(services(&collector.view).contains(&name));
        }
    }
}

#[test]
fn what_is_exported_keeps_to_the_limits_of_the_environment() {
    let collector = collector();
    let export = |limits: &[(&str, &str)]| {
        let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.otlp), ("OTEL_LOGS_EXPORTER", "none")];
        let environment = settings.into_iter().chain(limits.iter().copied()).collect();
        let telemetry = Telemetry::new(&Service::new("limited", "0"), &environment).unwrap();
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let layer = telemetry.rpc_server().trust(TrustTrace::All).answer_trace_headers();
            let address = serve(layer, told(&Arc::new(Notify::new()))).await;
            let status = client(&telemetry, address).call("Unary", "panic").await.unwrap_err();
            telemetry.shutdown(Duration::from_secs(10)).await;
            let trace_id = status.metadata().get("x-trace-id").unwrap().to_str().unwrap();
            get_elsewhere(format!("{}/api/v3/traces/{trace_id}", collector.view))
        })
    };
    let unlimited = export(&[]);
    assert!(unlimited.contains("the handler's own") && unlimited.contains("rpc.status_code"), "{unlimited}");

    let cut = export(&[("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7"), ("OTEL_ATTRIBUTE_COUNT_LIMIT", "3")]);
    assert!(cut.contains(r#""the han""#) && !cut.contains("rpc.status_code"), "{cut}");

    let logs_only = export(&[("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs")]);
    assert!(logs_only.contains("rpc.status_code") && !logs_only.contains("the handler's own"), "{logs_only}");
}

/// [`get`] from within a runtime.
fn get_elsewhere(url: String) -> String {
    std::thread::spawn(|| get(url)).join().unwrap()
}
