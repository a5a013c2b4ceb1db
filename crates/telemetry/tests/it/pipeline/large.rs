//! Spans that are large: a collector refuses a request of more than 4 MiB as a whole.

use prost::Message;

use super::*;

const MIB: usize = 1 << 20;

/// What collectors take.
const MOST: usize = 4 * MIB;

#[tokio::test]
async fn no_request_is_too_large_but_for_a_span_that_is() {
    let collector = Collector::default();
    let telemetry = exporting_to(collector.serve().await, &[]);
    for text in [2 * MIB - 1000, 3 * MIB, 10, MOST, 10, MIB, MIB, MIB, MIB, MIB] {
        end_here(&telemetry, 1, text);
    }
    assert_eq!(telemetry.flush(LIMIT).await.spans, exported(10));
    let received = collector.received.lock().unwrap();
    let spans = |request: &ExportTraceServiceRequest| {
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.map(|scope| scope.spans.len()).sum::<usize>()
    };
    let sizes: Vec<_> = received.iter().map(|request| (spans(request), request.encoded_len())).collect();
    assert!(sizes.iter().all(|(spans, size)| *spans == 1 || *size < MOST), "{sizes:?}");
}

#[tokio::test]
async fn large_spans_do_not_wait_until_there_are_many() {
    let collector = Collector::default();
    let telemetry = exporting_to(collector.serve().await, &[]);
    end_here(&telemetry, 2, MIB);
    // Nothing was flushed.
    collector.has_received(1).await;
    assert_eq!(telemetry.flush(LIMIT).await.spans, exported(2));
}
