//! Through the real pipeline, to a real collector.

use super::*;
use collector::{Config, Listeners};

/// Where a collector takes spans, and where it shows them.
async fn collector() -> (String, String) {
    let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listeners = Listeners { grpc: bind().await, http: bind().await, query: bind().await };
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let urls = (url(&listeners.grpc), url(&listeners.query));
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(collector::serve(listeners, Config::default(), std::future::pending()));
    urls
}

#[tokio::test]
async fn of_unsampled_calls_only_those_kept_are_sent() {
    let (otlp, view) = collector().await;
    let settings = [
        OFF,
        ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str()),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("TELEMETRY_KEEP_ERRORS", "true"),
    ];
    let telemetry = Telemetry::new(&Service::new("kept", "0"), &settings.into_iter().collect()).unwrap();
    let mut client = untraced(&telemetry).await;
    for _ in 0..20 {
        client.send("Unary", request("ok", false)).await.unwrap();
    }
    let report = telemetry.flush(Duration::from_secs(10)).await;
    assert_eq!((report.spans.ended, report.spans.exported), (0, 0));

    client.send("ServerStream", request("error after", false)).await.unwrap().end.unwrap_err();
    let report = telemetry.shutdown(Duration::from_secs(10)).await;
    assert_eq!((report.spans.ended, report.spans.exported, report.lost()), (1, 1, None));
    let trace = reqwest::get(format!("{view}/api/v3/traces/{TRACE}")).await.unwrap().text().await.unwrap();
    assert!(trace.contains("test.v1.Kinds/ServerStream"), "{trace}");
    let trace: serde_json::Value = serde_json::from_str(&trace).unwrap();
    let span = &trace["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    let flags = span["flags"].as_u64().unwrap();
    assert_eq!(flags & 1, 1, "{span} is sampled");
}
