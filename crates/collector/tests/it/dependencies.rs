//! Which service calls which. The links expected are those of a Jaeger 2.13 that got the same spans.

use serde_json::{Value, json};

use crate::collector_under_test::{Collector, start};
use crate::fixtures::{span, spans_of, with};

/// A moment in 2025, in milliseconds since the epoch.
const NOON: u64 = 1_760_000_000_000;

/// A parent, its child and how many calls.
type Link = (&'static str, &'static str, u64);

/// A span that starts `start` milliseconds after noon and takes `duration` of them; a parent of 0 is none.
fn child(trace: u128, id: u64, parent: u64, [start, duration]: [u64; 2]) -> Value {
    let nanoseconds = |milliseconds: u64| format!("{}000000", NOON + milliseconds);
    let times = json!({"startTimeUnixNano": nanoseconds(start), "endTimeUnixNano": nanoseconds(start + duration)});
    let parent = if parent == 0 { json!({}) } else { json!({"parentSpanId": format!("{parent:016x}")}) };
    with(with(span(trace, id), times), parent)
}

/// Sends four traces: an order that is paid (from 0 to 100 ms), one that is not (from 1000 to 1100 ms, with a span whose
/// parent is missing), one that begins in a service without a name, and one whose parent's id is only in another trace.
async fn send_four(collector: &Collector) {
    let nameless = json!({"resourceSpans": [{"scopeSpans": [{"spans": [child(3, 1, 0, [2000, 100])]}]}]});
    for spans in [
        // What comes first is the innermost.
        spans_of("payment", [child(1, 6, 5, [21, 50]), child(1, 7, 6, [22, 1]), child(1, 8, 6, [24, 1])]),
        spans_of("order", [child(1, 3, 2, [2, 90]), child(1, 4, 3, [3, 10]), child(1, 5, 3, [20, 60])]),
        spans_of("gateway", [child(1, 1, 0, [0, 100]), child(1, 2, 1, [1, 98])]),
        spans_of("gateway", [child(2, 1, 0, [1000, 100]), child(2, 2, 1, [1001, 98])]),
        spans_of("order", [child(2, 3, 2, [1002, 90]), child(2, 9, 0xdead, [1003, 1])]),
        nameless,
        spans_of("order", [child(3, 2, 1, [2001, 10])]),
        spans_of("other", [child(4, 1, 3, [3000, 10])]),
    ] {
        collector.send_json("/v1/traces", &spans).await;
    }
}

/// Asserts the links that `query` is answered with.
async fn check(collector: &Collector, query: &str, expected: &[Link]) {
    let links = expected.iter();
    let links = links.map(|(parent, child, count)| json!({"parent": parent, "child": child, "callCount": count}));
    let answer = json!({"data": links.collect::<Vec<_>>(), "total": 0, "limit": 0, "offset": 0, "errors": null});
    assert_eq!(collector.read(&format!("/api/dependencies{query}")).await, answer, "{query}");
}

const PAID: [Link; 5] = [
    ("gateway", "gateway", 1),
    ("gateway", "order", 1),
    ("order", "order", 2),
    ("order", "payment", 1),
    ("payment", "payment", 2),
];

#[tokio::test]
async fn each_span_with_a_parent_is_a_call_of_its_service_by_the_parents() {
    let collector = start().await;
    let all = format!("?endTs={}&lookback=200000", NOON + 100_000);
    check(&collector, &all, &[]).await;
    send_four(&collector).await;
    let expected = [
        ("gateway", "gateway", 2),
        ("gateway", "order", 2),
        ("missing-service-name", "order", 1),
        ("order", "order", 2),
        ("order", "payment", 1),
        ("payment", "payment", 2),
    ];
    check(&collector, &all, &expected).await;
    check(&collector, &format!("{all}&service=payment"), &expected[4..]).await;
    check(&collector, &format!("{all}&service=nobody"), &[]).await;
}

#[tokio::test]
async fn a_trace_counts_when_all_of_it_lies_within_the_time() {
    let collector = start().await;
    send_four(&collector).await;
    let second: [Link; 2] = [("gateway", "gateway", 1), ("gateway", "order", 1)];
    let cases: [(u64, u64, &[Link]); 7] = [
        (101, 102, &PAID),
        (101, 101, &[]),
        (100, 1000, &[]),
        (1099, 1100, &PAID),
        (1101, 102, &second),
        (4000, 0, &[]),
        (101, u64::MAX, &PAID),
    ];
    for (end, lookback, expected) in cases {
        check(&collector, &format!("?endTs={}&lookback={lookback}", NOON + end), expected).await;
    }
    check(&collector, &format!("?endTs={}", u64::MAX), &[]).await;
}

#[tokio::test]
async fn who_gives_no_time_asks_for_the_day_before_now() {
    let collector = start().await;
    send_four(&collector).await;
    const DAY: u64 = 24 * 60 * 60 * 1000;
    check(&collector, &format!("?endTs={}&service=payment", NOON + DAY - 1), &PAID[3..]).await;
    // All but the first trace started less than a day before.
    let later = [("gateway", "gateway", 1), ("gateway", "order", 1), ("missing-service-name", "order", 1)];
    check(&collector, &format!("?endTs={}", NOON + DAY), &later).await;
    check(&collector, &format!("?endTs={}&lookback=", NOON + DAY), &later).await;

    check(&collector, "", &[]).await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos().to_string();
    let times = json!({"startTimeUnixNano": now, "endTimeUnixNano": now});
    let inner = with(with(span(5, 2), times.clone()), json!({"parentSpanId": format!("{:016x}", 1)}));
    collector.send_json("/v1/traces", &spans_of("order", [with(span(5, 1), times), inner])).await;
    check(&collector, "", &[("order", "order", 1)]).await;
    check(&collector, "?endTs=&lookback=600000", &[("order", "order", 1)]).await;
}

#[tokio::test]
async fn times_that_cannot_be_read_are_a_bad_request_in_the_older_apis_shape() {
    let collector = start().await;
    for parameter in ["endTs=x", "endTs=1.5", "endTs=-5", "lookback=1h", "lookback=-5", "lookback=18446744073709551616"]
    {
        let answer = collector.get(&format!("/api/dependencies?{parameter}")).await;
        assert_eq!(answer.status(), 400, "{parameter}");
        let name = parameter.split('=').next().unwrap();
        let message = format!("malformed parameter {name}: not a whole number of milliseconds");
        let errors = json!([{"code": 400, "msg": message}]);
        let expected = json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors});
        assert_eq!(answer.json::<Value>().await.unwrap(), expected, "{parameter}");
    }
}
