//! Flushes and shutdowns, several at once, in the middle of things, and when it is too late.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use telemetry::InitError;

use super::*;

#[tokio::test]
async fn many_flushes_at_once_end_with_a_collector_that_hangs_and_do_not_stop_it() {
    let collector = Collector { meeting: Some(Arc::new(Barrier::new(2))), ..Collector::default() };
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, 1).await;
    let reports = join_all((0..50).map(|_| telemetry.flush(Duration::ZERO))).await;
    assert_eq!(reports, vec![report(1, 0, 0, 0); 50]);
    collector.meeting.as_ref().unwrap().wait().await;
    assert_eq!(telemetry.flush(LIMIT).await, report(1, 1, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushes_at_once_each_send_what_ended_before() {
    let telemetry = exporting_to(Collector::default().serve().await, &[("OTEL_BSP_MAX_QUEUE_SIZE", "10000")]);
    let each = (1..20_u64).map(|already| {
        end_here(&telemetry, 1, 0);
        let telemetry = &telemetry;
        async move { assert!(telemetry.flush(LIMIT).await.exported >= already) }
    });
    join_all(each).await;
    assert_eq!(telemetry.shutdown(LIMIT).await, report(19, 19, 0, 0));
}

#[tokio::test]
async fn a_flush_ends_though_spans_do_not_stop_ending() {
    let telemetry = exporting_to(Collector::default().serve().await, &[]);
    let is_enough = Arc::new(AtomicBool::new(false));
    let ending = {
        let (telemetry, is_enough) = (telemetry.clone(), Arc::clone(&is_enough));
        std::thread::spawn(move || {
            while !is_enough.load(Ordering::Relaxed) {
                end_here(&telemetry, 10, 0);
            }
        })
    };
    let flushing = async { while telemetry.flush(LIMIT).await.exported < 1000 {} };
    tokio::time::timeout(LIMIT, flushing).await.unwrap();
    is_enough.store(true, Ordering::Relaxed);
    ending.join().unwrap();
    let last = telemetry.flush(LIMIT).await;
    assert_eq!((last.ended, last.failed), (last.exported + last.dropped, 0));
}

#[tokio::test]
async fn shutdowns_at_once_and_whatever_comes_after_them_end() {
    let collector = Collector::default();
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, 3).await;
    tokio::join!(telemetry.shutdown(LIMIT), telemetry.shutdown(LIMIT), telemetry.flush(LIMIT));
    end(&telemetry, 2).await;
    assert_eq!(telemetry.flush(LIMIT).await, report(3, 3, 0, 0));
    assert_eq!(telemetry.shutdown(LIMIT).await, report(3, 3, 0, 0));
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test]
async fn telemetry_that_cannot_be_set_up_is_an_error_also_where_nothing_may_block() {
    for signal in ["LOGS", "METRICS"] {
        let name = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
        let environment = [(name.as_str(), "not a url")].into_iter().collect();
        let error = Telemetry::new(&Service::new("sender", "0"), &environment).unwrap_err();
        assert!(matches!(&error, InitError::Endpoint(told) if *told == name), "{error}");
    }
}
