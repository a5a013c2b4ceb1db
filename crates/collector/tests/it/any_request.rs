//! Whatever an export request holds and however it comes, it is read back as it was.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use prost::Message;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding::Gzip;

use crate::arbitrary::metrics::metrics;
use crate::arbitrary::{TRACE, is_id, logs, traces};
use crate::collector_under_test::{Collector, gzip, start};
use crate::otlp_json;

const TRACE_ID: &str = "07070707070707070707070707070707";

#[test]
fn any_spans_are_kept_whole() {
    check(traces(), async |mut request, gzipped, style| {
        let [by_json, by_protobuf, by_grpc] = [start().await, start().await, start().await];
        let json = style(otlp_json::traces(&request));
        let answer = post(&by_json, "/v1/traces", json.to_string(), gzipped).await;
        let encoded = post(&by_protobuf, "/v1/traces", request.encode_to_vec(), gzipped).await;
        let mut client = by_grpc.traces();
        client = if gzipped { client.send_compressed(Gzip) } else { client };
        let told = client.export(request.clone()).await.unwrap().into_inner();

        let rejected = keep_the_valid(&mut request);
        assert_eq!(ExportTraceServiceResponse::decode(&*encoded).unwrap(), told);
        assert_eq!(told.partial_success.map_or(0, |told| told.rejected_spans), rejected as i64);
        assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap(), partial("rejectedSpans", rejected));
        let expected = apart(&otlp_json::traces(&request), ["resourceSpans", "scopeSpans", "spans"]);
        for collector in [by_json, by_protobuf, by_grpc] {
            let answer = collector.get(&format!("/api/v3/traces/{TRACE_ID}")).await;
            assert_eq!(answer.status(), if expected.is_empty() { 404 } else { 200 });
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(apart(&answer["result"], ["resourceSpans", "scopeSpans", "spans"]), expected);
        }
    });
}

#[test]
fn any_log_records_are_kept_whole() {
    check(logs(), async |request, gzipped, style| {
        let [by_json, by_protobuf, by_grpc] = [start().await, start().await, start().await];
        let json = style(otlp_json::logs(&request));
        assert_eq!(post(&by_json, "/v1/logs", json.to_string(), gzipped).await, b"{}");
        let encoded = post(&by_protobuf, "/v1/logs", request.encode_to_vec(), gzipped).await;
        assert_eq!(ExportLogsServiceResponse::decode(&*encoded).unwrap(), ExportLogsServiceResponse::default());
        let mut client = LogsServiceClient::new(by_grpc.channel());
        client = if gzipped { client.send_compressed(Gzip) } else { client };
        assert_eq!(client.export(request.clone()).await.unwrap().into_inner().partial_success, None);

        let [of_trace, of_none] = [true, false].map(|of_trace| {
            let mut request: ExportLogsServiceRequest = request.clone();
            let scopes = request.resource_logs.iter_mut().flat_map(|batch| &mut batch.scope_logs);
            scopes.for_each(|scope| scope.log_records.retain(|log| (log.trace_id == TRACE) == of_trace));
            apart(&otlp_json::logs(&request), ["resourceLogs", "scopeLogs", "logRecords"])
        });
        for collector in [by_json, by_protobuf, by_grpc] {
            let answer: Value = collector.get(&format!("/api/logs/{TRACE_ID}")).await.json().await.unwrap();
            assert_eq!(apart(&answer, ["resourceLogs", "scopeLogs", "logRecords"]), of_trace);
            let answer = collector.read("/api/logs").await;
            assert_eq!(apart(&answer, ["resourceLogs", "scopeLogs", "logRecords"]), of_none);
        }
    });
}

#[test]
fn any_data_points_are_counted() {
    check(metrics(), async |request: ExportMetricsServiceRequest, gzipped, style| {
        let collector = start().await;
        let json = style(otlp_json::metrics::metrics(&request));
        let mut client = MetricsServiceClient::new(collector.channel());
        client = if gzipped { client.send_compressed(Gzip) } else { client };

        let counted = count(&request.resource_metrics);
        let total: u64 = counted.values().flat_map(BTreeMap::values).sum();
        for sent in 1..=3 {
            match sent {
                1 => assert_eq!(post(&collector, "/v1/metrics", json.to_string(), gzipped).await, b"{}"),
                2 => assert!(post(&collector, "/v1/metrics", request.encode_to_vec(), gzipped).await.is_empty()),
                _ => assert_eq!(client.export(request.clone()).await.unwrap().into_inner().partial_success, None),
            }
            let stats = collector.stats().await;
            assert_eq!(stats["metricPoints"], total * sent);
            let by_metric = |(service, metrics): (&String, &BTreeMap<String, u64>)| {
                let times = metrics.iter().map(|(name, points)| (name.clone(), json!(points * sent)));
                (service.clone(), times.collect::<Value>())
            };
            assert_eq!(stats["metrics"], counted.iter().map(by_metric).collect::<Value>());
        }
    });
}

/// Runs `property` on requests, gzipped or not, with a style of JSON.
fn check<S: Strategy>(requests: S, property: impl AsyncFn(S::Value, bool, fn(Value) -> Value)) {
    let runtime = Runtime::new().unwrap();
    let styles: [fn(Value) -> Value; 2] = [|json| json, otlp_json::in_another_style];
    let cases = (requests, any::<bool>(), prop::sample::select(styles.to_vec()));
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) });
    let ran = runner.run(&cases, |(request, gzipped, style)| {
        runtime.block_on(property(request, gzipped, style));
        Ok(())
    });
    ran.unwrap();
}

/// The answer to a request that must be accepted; one that is text is JSON.
async fn post(collector: &Collector, path: &str, body: impl Into<Vec<u8>>, gzipped: bool) -> Vec<u8> {
    let body = body.into();
    let content_type = if body.starts_with(b"{") { "application/json" } else { "application/x-protobuf" };
    let request = match gzipped {
        true => collector.post(path, content_type, gzip(&body)).header("content-encoding", "gzip"),
        false => collector.post(path, content_type, body),
    };
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body = answer.bytes().await.unwrap().to_vec();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    body
}

/// Leaves in `request` what must be kept of it, as it must be read back. Returns how many spans went.
fn keep_the_valid(request: &mut ExportTraceServiceRequest) -> usize {
    let is_valid = |span: &Span| {
        let no_parent = span.parent_span_id.iter().all(|byte| *byte == 0) && matches!(span.parent_span_id.len(), 0 | 8);
        span.trace_id == TRACE && is_id::<8>(&span.span_id) && (no_parent || is_id::<8>(&span.parent_span_id))
    };
    let mut rejected = 0;
    for batch in &mut request.resource_spans {
        batch.resource.get_or_insert_default();
        for scope in &mut batch.scope_spans {
            scope.scope.get_or_insert_default();
            let sent = scope.spans.len();
            scope.spans.retain(is_valid);
            rejected += sent - scope.spans.len();
            for span in &mut scope.spans {
                span.status.get_or_insert_default();
                if span.parent_span_id == [0; 8] {
                    span.parent_span_id.clear();
                }
            }
        }
    }
    rejected
}

fn partial(name: &str, rejected: usize) -> Value {
    let message = format!("{rejected} with an invalid id");
    match rejected {
        0 => json!({}),
        _ => json!({"partialSuccess": {name: rejected.to_string(), "errorMessage": message}}),
    }
}

/// Every item in `json` with the scope and the resource it comes from, as texts in order.
fn apart(json: &Value, [batches, scopes, items]: [&str; 3]) -> Vec<String> {
    let list = |json: &Value, name: &str| json[name].as_array().cloned().unwrap_or_default();
    let mut apart = Vec::new();
    for batch in list(json, batches) {
        for scope in list(&batch, scopes) {
            let from = [&batch["resource"], &batch["schemaUrl"], &scope["scope"], &scope["schemaUrl"]];
            apart.extend(list(&scope, items).iter().map(|item| json!([item, from]).to_string()));
        }
    }
    apart.sort();
    apart
}

/// The number of data points by service and by metric.
fn count(batches: &[ResourceMetrics]) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut counted = BTreeMap::<_, BTreeMap<_, _>>::new();
    for batch in batches {
        let mut attributes = batch.resource.iter().flat_map(|resource| &resource.attributes);
        let name = attributes.find(|attribute| attribute.key == "service.name");
        let service = match name.and_then(|name| name.value.as_ref()?.value.as_ref()) {
            Some(any_value::Value::StringValue(name)) => name.clone(),
            _ => String::new(),
        };
        for metric in batch.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let points = match &metric.data {
                None => 0,
                Some(Data::Gauge(data)) => data.data_points.len(),
                Some(Data::Sum(data)) => data.data_points.len(),
                Some(Data::Histogram(data)) => data.data_points.len(),
                Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
                Some(Data::Summary(data)) => data.data_points.len(),
            };
            *counted.entry(service.clone()).or_default().entry(metric.name.clone()).or_default() += points as u64;
        }
    }
    counted
}
