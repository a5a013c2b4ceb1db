//! What a Collector does while a backend is away: it keeps traces and logs on disk, up to a bound, and goes on trying.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::components::kind;
use crate::compose::document::{assert_finds, entries, text, texts};
use crate::compose::pipelines::is_jaeger;
use crate::compose::{Faults, assert_sound, collectors};

/// The most that one queue may take on disk or in memory, when it is bounded in bytes.
pub(super) const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// The most requests, when it is bounded in those.
const MOST_REQUESTS: u64 = 10_000;

/// The signals that an exporter sends.
fn signals<'a>(configuration: &'a Value, exporter: &str) -> BTreeSet<&'a str> {
    let pipelines = entries(&configuration["service"]["pipelines"]);
    let sending = pipelines.filter(|(_, pipeline)| texts(&pipeline["exporters"]).any(|id| id == exporter));
    sending.map(|(name, _)| name.split('/').next().unwrap_or_default()).collect()
}

fn faults(configuration: &Value) -> Faults {
    let exporters = entries(&configuration["exporters"]).filter(|(id, _)| kind(id) != "debug");
    exporters
        .flat_map(|(id, exporter)| {
            let lasting = signals(configuration, id).iter().any(|signal| ["traces", "logs"].contains(signal));
            // What is handed on to another Collector waits in memory: a pod of a Deployment has no volume.
            let on_disk = lasting && kind(id) != "load_balancing";
            of_exporter(exporter, lasting, on_disk).into_iter().map(move |fault| format!("{id}: {fault}"))
        })
        .collect()
}

/// `lasting` is what would be lost for good; a metric is cumulative, and the next one says what the last one said.
fn of_exporter(exporter: &Value, lasting: bool, on_disk: bool) -> Faults {
    let (queue, retry) = (&exporter["sending_queue"], &exporter["retry_on_failure"]);
    let most = if text(&queue["sizer"]) == "bytes" { MOST_BYTES } else { MOST_REQUESTS };
    let bounded = queue["queue_size"].as_u64().is_some_and(|size| (1..=most).contains(&size));
    let forever = ["0", "0s"].contains(&text(&retry["max_elapsed_time"])) || retry["max_elapsed_time"] == 0;
    let rules = [
        (queue["enabled"] != false && bounded, "its queue has no bound"),
        (queue["batch"].is_object(), "it sends piece by piece"),
        (!on_disk || !text(&queue["storage"]).is_empty(), "its queue does not outlive the Collector"),
        (!lasting || retry["enabled"] != false && forever, "it gives up at some time"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault.to_owned()).collect()
}

/// File storages that compete for a folder.
fn shared(configuration: &Value) -> Faults {
    let mut folders = BTreeSet::new();
    let storages = entries(&configuration["extensions"]).filter(|(id, _)| id.starts_with("file_storage"));
    let again = storages.filter(|(_, storage)| !folders.insert(text(&storage["directory"]).to_owned()));
    again.map(|(id, _)| format!("{id}: its folder is another's")).collect()
}

#[test]
fn every_queue_is_bounded_and_lasts() {
    for (name, configuration) in collectors().into_iter().filter(|(_, configuration)| !is_jaeger(configuration)) {
        assert_sound(&name, &[faults(&configuration), shared(&configuration)].concat());
    }
}

/// An exporter of each kind: of what lasts, of what is handed on, of what is cumulative.
const SOUND: &str = "
extensions:
  file_storage/traces: {directory: /queue/traces}
  file_storage/logs: {directory: /queue/logs}
exporters:
  otlp_grpc/jaeger:
    retry_on_failure: {max_elapsed_time: 0s}
    sending_queue: {storage: file_storage, sizer: bytes, queue_size: 1000000, batch: {}}
  load_balancing:
    retry_on_failure: {max_elapsed_time: 0}
    sending_queue: {queue_size: 10, batch: {flush_timeout: 1s}}
  otlp_http/prometheus:
    retry_on_failure: {max_elapsed_time: 60s}
    sending_queue: {queue_size: 100, batch: {sizer: items}}
service:
  pipelines:
    traces/sampled: {exporters: [otlp_grpc/jaeger, load_balancing]}
    metrics: {exporters: [otlp_http/prometheus]}
";

#[test]
fn a_queue_that_loses_what_it_holds_is_found() {
    assert_finds(
        |configuration| [faults(configuration), shared(configuration)].concat(),
        SOUND,
        &[
            ("queue_size: 1000000, ", "", "otlp_grpc/jaeger: its queue has no bound"),
            ("sizer: bytes, queue_size: 1000000", "queue_size: 1000000", "otlp_grpc/jaeger: its queue has no bound"),
            ("queue_size: 100,", "enabled: false, queue_size: 100,", "otlp_http/prometheus: its queue has no bound"),
            (", batch: {}", "", "otlp_grpc/jaeger: it sends piece by piece"),
            ("storage: file_storage, ", "", "otlp_grpc/jaeger: its queue does not outlive the Collector"),
            ("max_elapsed_time: 0s", "max_elapsed_time: 300s", "otlp_grpc/jaeger: it gives up at some time"),
            ("{max_elapsed_time: 0s}", "{initial_interval: 1s}", "otlp_grpc/jaeger: it gives up at some time"),
            (
                "{max_elapsed_time: 0s}",
                "{enabled: false, max_elapsed_time: 0s}",
                "otlp_grpc/jaeger: it gives up at some time",
            ),
            ("max_elapsed_time: 0}", "max_elapsed_time: 60s}", "load_balancing: it gives up at some time"),
            ("/queue/logs", "/queue/traces", "file_storage/traces: its folder is another's"),
        ],
    );
}
