//! Every span that has ended is exported, failed or dropped in the end, whatever happens on the way.

use std::sync::mpsc::sync_channel;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_span_is_accounted_for_when_many_things_go_wrong_at_once() {
    let partial = |rejected_spans| {
        let partial = ExportTracePartialSuccess { rejected_spans, error_message: String::new() };
        Ok(ExportTraceServiceResponse { partial_success: Some(partial) })
    };
    let answers = (0..40).flat_map(|_| {
        [
            partial(1),
            Err(Status::invalid_argument("no")),
            Ok(ExportTraceServiceResponse::default()),
            partial(i64::MAX),
            partial(-1),
        ]
    });
    let collector = Collector::answering(answers);
    let settings = [("OTEL_BSP_MAX_QUEUE_SIZE", "50"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")];
    let telemetry = exporting_to(collector.serve().await, &settings);
    let ending: Vec<_> = (0..8)
        .map(|_| {
            let telemetry = telemetry.clone();
            std::thread::spawn(move || end_here(&telemetry, 500, 10))
        })
        .collect();
    while ending.iter().any(|thread| !thread.is_finished()) {
        telemetry.flush(LIMIT).await;
    }
    let last = telemetry.flush(LIMIT).await.spans;
    assert_eq!((last.ended, last.queued), (4000, 0));
    assert!(last.adds_up() && last.exported > 0 && last.rejected > 0, "{last:?}");
    assert_eq!(collector.spans().len() as u64, last.exported + last.rejected);
}

#[tokio::test]
async fn telemetry_is_dropped_with_spans_on_their_way() {
    let collector = Collector { hangs: true, ..Collector::default() };
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, 2).await;
    let report = telemetry.shutdown(Duration::ZERO).await;
    let dropped = Dropped { shutdown: 2, ..Dropped::default() };
    assert_eq!(report.spans, Account { ended: 2, dropped, ..Account::default() });
    assert_eq!(report.lost().unwrap().to_string(), "2 spans (shutdown)");
    // Inside a runtime, where nothing may block.
    drop(telemetry);
}

#[tokio::test]
async fn a_collector_that_wants_to_be_asked_at_once_for_ever_is_asked_a_few_times() {
    let details = || ErrorDetails::with_retry_info(Some(Duration::ZERO));
    let again = || Err(Status::with_error_details(Code::Unavailable, "at once", details()));
    let collector = Collector::answering((0..1000).map(|_| again()));
    let telemetry = exporting_to(collector.serve().await, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "300")]);
    end(&telemetry, 1).await;
    assert_eq!(telemetry.flush(LIMIT).await.spans, failed(1));
    // After at least 75 and 150 ms, and then there is no time for 300.
    assert!(collector.requests() <= 3, "{}", collector.requests());
}

#[tokio::test]
async fn a_span_that_is_dropped_at_its_end_does_not_wait_for_itself() {
    let collector = Collector { hangs: true, ..Collector::default() };
    let settings = [("OTEL_BSP_MAX_QUEUE_SIZE", "1")];
    let telemetry = exporting_to(collector.serve().await, &settings);
    let (done, all_done) = sync_channel(1);
    let ending = telemetry.clone();
    std::thread::spawn(move || {
        let subscriber = tracing_subscriber::registry().with(ending.tracing_layer());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..20 {
                // The span is locked while it ends, and current: an event that it led to would be its own.
                tracing::info_span!("current").in_scope(|| Context::current().span().end());
            }
        });
        done.send(()).unwrap();
    });
    all_done.recv_timeout(LIMIT).unwrap();
    let account = telemetry.flush(Duration::ZERO).await.spans;
    assert!(account.ended == 20 && account.dropped.queue_full > 0 && account.adds_up(), "{account:?}");
}
