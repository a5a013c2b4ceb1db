//! How exporting goes, as those are told who ask: people, and Prometheus.

use telemetry::{ExportState, Exported};

use super::*;

/// The line of a sample.
fn sample<'t>(text: &'t str, name: &str, label: &str) -> &'t str {
    let of = |line: &&str| line.starts_with(name) && line.contains(label);
    text.lines().find(of).unwrap_or_else(|| panic!("no {name} {label} in:\n{text}"))
}

#[tokio::test]
async fn whoever_asks_is_told_where_to_and_whether_it_works_and_what_became_of_it() {
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".to_owned() };
    let collector = Collector::answering([Ok(ExportTraceServiceResponse { partial_success: Some(partial) })]);
    let address = collector.serve().await;
    let telemetry = exporting_to(address, &[("OTEL_BSP_MAX_QUEUE_SIZE", "7")]);
    let untried = telemetry.exports();
    assert_eq!((untried.spans.state, untried.logs.state), (ExportState::Untried, ExportState::Off));
    end(&telemetry, 3).await;
    telemetry.flush(LIMIT).await;
    let Exported { exporter, protocol, collector, state, account, queue_capacity, .. } = telemetry.exports().spans;
    assert_eq!((exporter, protocol, collector), ("otlp", Some("grpc"), Some(address.to_string())));
    assert_eq!((state, queue_capacity), (ExportState::Working, Some(7)));
    assert_eq!((account.ended, account.exported, account.rejected), (3, 2, 1));
}

#[tokio::test]
async fn a_failure_is_told_with_its_reason_until_it_is_over() {
    let collector = Collector::answering([Err(Status::unauthenticated("who are you?"))]);
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, 1).await;
    telemetry.flush(LIMIT).await;
    let failing = telemetry.exports().spans;
    assert_eq!(failing.state, ExportState::Failing);
    let error = failing.error.unwrap();
    assert!(error.contains("who are you?"), "{error}");
    assert!(sample(&telemetry.export_metrics(), "telemetry_export_failing", "span").ends_with(" 1"));
}

#[tokio::test]
async fn prometheus_is_told_the_same_under_the_names_of_the_conventions() {
    let collector = Collector::answering([Ok(ExportTraceServiceResponse::default()), Err(Status::aborted("no"))]);
    let address = collector.serve().await;
    let telemetry = exporting_to(address, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "50")]);
    end(&telemetry, 2).await;
    telemetry.flush(LIMIT).await;
    end(&telemetry, 1).await;
    telemetry.flush(LIMIT).await;
    let text = telemetry.export_metrics();
    let port = format!("server_port=\"{}\"", address.port());
    let exported = sample(&text, "otel_sdk_exporter_span_exported_total", &port);
    assert!(exported.contains("otel_component_type=\"otlp_grpc_span_exporter\""), "{exported}");
    assert!(exported.contains("otel_component_name=\"otlp_grpc_span_exporter/0\"") && exported.ends_with(" 2"));
    assert!(sample(&text, "otel_sdk_exporter_span_exported_total", "error_type=\"ABORTED\"").ends_with(" 1"));
    assert!(sample(&text, "otel_sdk_processor_span_processed_total", "batching_span_processor").ends_with(" 3"));
    assert!(sample(&text, "telemetry_lost_total", "export_failed").ends_with(" 1"));
    let slowest = sample(&text, "otel_sdk_exporter_operation_duration_seconds_bucket", "le=\"+Inf\"");
    assert!(slowest.ends_with(" 1"), "{slowest}");
    // Each metric is described once, before its samples, or Prometheus refuses the whole.
    let described: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = described.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(described.len(), once.len(), "{text}");
}
