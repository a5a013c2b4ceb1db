//! Flushes and shutdowns, several at once, in the middle of things, and when it is too late.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn many_flushes_at_once_end_with_a_collector_that_hangs_and_do_not_stop_it() {
    let collector = Collector { meeting: Some(Arc::new(Barrier::new(2))), ..Collector::default() };
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, 1).await;
    let reports = join_all((0..50).map(|_| telemetry.flush(Duration::ZERO))).await;
    assert!(reports.iter().all(|report| report.spans == Account { ended: 1, queued: 1, ..Account::default() }));
    collector.meeting.as_ref().unwrap().wait().await;
    assert_eq!(telemetry.flush(LIMIT).await.spans, exported(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushes_at_once_each_send_what_ended_before() {
    let telemetry = exporting_to(Collector::default().serve().await, &[("OTEL_BSP_MAX_QUEUE_SIZE", "10000")]);
    let each = (1..20_u64).map(|already| {
        end_here(&telemetry, 1, 0);
        let telemetry = &telemetry;
        async move { assert!(telemetry.flush(LIMIT).await.spans.exported >= already) }
    });
    join_all(each).await;
    assert_eq!(telemetry.shutdown(LIMIT).await.spans, exported(19));
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
    let flushing = async { while telemetry.flush(LIMIT).await.spans.exported < 1000 {} };
    tokio::time::timeout(LIMIT, flushing).await.unwrap();
    is_enough.store(true, Ordering::Relaxed);
    ending.join().unwrap();
    let last = telemetry.flush(LIMIT).await.spans;
    assert_eq!(last.ended, last.exported + last.dropped.queue_full);
}

#[tokio::test]
async fn shutdowns_at_once_and_whatever_comes_after_them_end() {
    let collector = Collector::default();
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, 3).await;
    tokio::join!(telemetry.shutdown(LIMIT), telemetry.shutdown(LIMIT), telemetry.flush(LIMIT));
    assert_eq!(telemetry.report().spans, exported(3));
    end(&telemetry, 2).await;
    let dropped = Dropped { already_shutdown: 2, ..Dropped::default() };
    let late = Account { ended: 5, dropped, ..exported(3) };
    assert_eq!(telemetry.flush(LIMIT).await.spans, late);
    assert_eq!(telemetry.shutdown(LIMIT).await.spans, late);
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test]
async fn every_one_of_several_shutdowns_waits_for_the_end() {
    let collector = Collector { meeting: Some(Arc::new(Barrier::new(2))), ..Collector::default() };
    let telemetry = exporting_to(collector.serve().await, &[]);
    end(&telemetry, 1).await;
    let meet = async { collector.meeting.as_ref().unwrap().wait().await };
    let (first, second, _) = tokio::join!(telemetry.shutdown(LIMIT), telemetry.shutdown(LIMIT), meet);
    assert_eq!((first.spans, second.spans), (exported(1), exported(1)));
}
