//! What crosses the chain: the caller's trace, by policy, and what goes with it; and what the bank hears of it.

use clap::Parser;
use proto::gateway::v1::PlaceOrderResponse;
use telemetry::testing::SpanRecord;
use telemetry::{Propagate, TrustTrace};
use tonic::Response;

use crate::calls::{order, trace_headers, with_headers};
use crate::shop::Shop;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

const CHARGE: &str = "/shop.payment.v1.PaymentService/Charge";
const AUTHORISE: &str = "/v1/authorisations";

/// All that the bank is sent when nobody says otherwise.
const TO_THE_BANK: [&str; 5] = ["accept", "content-length", "content-type", "host", "idempotency-key"];

/// Places an order that is paid, with these headers.
async fn place(shop: &Shop, headers: &[(&'static str, &str)]) -> Response<PlaceOrderResponse> {
    shop.place(with_headers(order("tok_visa"), headers)).await.unwrap()
}

#[tokio::test]
async fn a_callers_trace_is_continued_where_all_are_trusted() {
    let shop = Shop::open_with(|settings| settings.gateway.trust_trace = TrustTrace::All).await;
    let answer = place(&shop, &[("traceparent", SAMPLED)]).await;
    assert_eq!(trace_headers(answer.metadata()).0, TRACE);

    let below = demo::PAID_ORDER.lines().map(|line| format!("  {line}\n")).collect::<String>();
    shop.trace(answer.metadata()).await.assert_tree(&format!("(parent {CALLER} not received)\n{below}"));
    assert_eq!(shop.traces_of_calls().await.len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn a_callers_trace_is_linked_where_none_is_trusted() {
    let shop = Shop::open_with(|settings| settings.gateway.trust_trace = TrustTrace::None).await;
    let answer = place(&shop, &[("traceparent", SAMPLED)]).await;
    assert_ne!(trace_headers(answer.metadata()).0, TRACE);

    let trace = shop.trace(answer.metadata()).await;
    trace.assert_tree(demo::PAID_ORDER);
    let (root, below) = trace.spans().split_first().unwrap();
    assert_eq!(root.links, [(TRACE.to_owned(), CALLER.to_owned())]);
    assert!(below.iter().all(|span| span.links.is_empty()));
    assert_eq!(shop.traces_of_calls().await.len(), 1);
    shop.close().await;
}

#[test]
fn nobody_is_trusted_unless_told_so() {
    assert_eq!(gateway::Config::parse_from(["gateway"]).trust_trace, TrustTrace::None);
}

#[tokio::test]
async fn a_malformed_traceparent_starts_a_trace_of_its_own() {
    let shop = Shop::open().await;
    let malformed = [
        "",
        "nonsense",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
    ];
    let mut requests = malformed.map(|header| vec![("traceparent", header)]).to_vec();
    requests.push(vec![("traceparent", SAMPLED); 2]);
    for headers in requests {
        let answer = place(&shop, &[&headers[..], &[("tracestate", "vendor=1")]].concat()).await;
        let trace = shop.trace(answer.metadata()).await;
        trace.assert_tree(demo::PAID_ORDER);
        let root = &trace.spans()[0];
        assert!(root.trace_id != TRACE && root.links.is_empty(), "{headers:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn an_unsampled_trace_makes_no_span_and_its_header_reaches_the_last_hop() {
    let shop = Shop::open_with(|settings| {
        settings.recorded = true;
        settings.payment.bank_propagate = Propagate::TraceParent;
    })
    .await;
    let answer = place(&shop, &[("traceparent", UNSAMPLED)]).await;
    assert_eq!(trace_headers(answer.metadata()).0, TRACE);
    for headers in [shop.before_payment.headers(CHARGE), shop.before_bank.headers(AUTHORISE)] {
        let traceparent = headers["traceparent"].to_str().unwrap();
        assert!(traceparent.starts_with(&format!("00-{TRACE}-")) && traceparent.ends_with("-00"), "{traceparent}");
    }
    assert!(shop.traces_of_calls().await.is_empty());
    shop.close().await;
}

#[tokio::test]
async fn tracestate_and_baggage_are_carried_to_payment_untouched() {
    let shop = Shop::recorded().await;
    let headers = [
        ("traceparent", SAMPLED),
        ("tracestate", "foo@bar@baz=1,b=2"),
        ("tracestate", "c=3"),
        ("baggage", "name=100%2541,other=a%2Cb;kind=x"),
    ];
    let answer = place(&shop, &headers).await;
    let charge = shop.trace(answer.metadata()).await.span("CLIENT", &CHARGE[1..]).span_id.clone();

    let sent = shop.before_payment.headers(CHARGE);
    let only = |name| {
        let values: Vec<_> = sent.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        values.join(" and ")
    };
    assert_eq!(only("traceparent"), format!("00-{TRACE}-{charge}-01"));
    assert_eq!(only("tracestate"), "foo@bar@baz=1,b=2,c=3");
    assert_eq!(only("baggage"), "name=100%2541,other=a%2Cb;kind=x");
    shop.close().await;
}

#[tokio::test]
async fn an_untrusted_callers_tracestate_and_baggage_go_nowhere() {
    let shop = Shop::open_with(|settings| {
        settings.recorded = true;
        settings.gateway.trust_trace = TrustTrace::None;
    })
    .await;
    place(&shop, &[("traceparent", SAMPLED), ("tracestate", "a=1"), ("baggage", "b=2")]).await;
    let sent = shop.before_payment.headers(CHARGE);
    assert!(sent.contains_key("traceparent") && !sent.contains_key("tracestate") && !sent.contains_key("baggage"));
    shop.close().await;
}

#[tokio::test]
async fn the_bank_is_sent_nothing_of_the_trace() {
    let shop = Shop::recorded().await;
    place(&shop, &[("traceparent", SAMPLED), ("tracestate", "a=1"), ("baggage", "b=2")]).await;
    assert_eq!(names_sent_to_the_bank(&shop), TO_THE_BANK);
    shop.close().await;
}

#[tokio::test]
async fn the_bank_is_sent_traceparent_and_no_more_when_payment_is_told_so() {
    let shop = Shop::open_with(|settings| {
        settings.recorded = true;
        settings.payment.bank_propagate = Propagate::TraceParent;
    })
    .await;
    let answer = place(&shop, &[("traceparent", SAMPLED), ("tracestate", "a=1"), ("baggage", "b=2")]).await;
    assert_eq!(names_sent_to_the_bank(&shop), [&TO_THE_BANK[..], &["traceparent"]].concat());

    let asked = shop.trace(answer.metadata()).await.span("CLIENT", "POST /v1/authorisations").span_id.clone();
    assert_eq!(shop.before_bank.headers(AUTHORISE)["traceparent"], format!("00-{TRACE}-{asked}-01"));
    shop.close().await;
}

#[tokio::test]
async fn readiness_checks_make_no_trace() {
    let shop = Shop::recorded().await;
    shop.before_payment.reached("/grpc.health.v1.Health/Check").await;
    place(&shop, &[]).await;
    let traces: Vec<_> = shop.spans.traces().await.iter().map(|trace| trace.render(&[])).collect();
    assert_eq!(traces, [demo::PAID_ORDER]);
    shop.close().await;
}

/// The names of the headers that the bank was sent, sorted.
fn names_sent_to_the_bank(shop: &Shop) -> Vec<String> {
    let sent = shop.before_bank.headers(AUTHORISE);
    let mut names: Vec<_> = sent.keys().map(ToString::to_string).collect();
    names.sort();
    names
}

/// The `grpc.timeout_ms` of the calls of an order placed with this `grpc-timeout`, from the edge inwards: gateway, order
/// and payment SERVER, with the CLIENT spans between them.
async fn budgets(shop: &Shop, timeout: Option<&str>) -> [u64; 5] {
    let headers: Vec<_> = timeout.map(|timeout| ("grpc-timeout", timeout)).into_iter().collect();
    let trace = shop.trace(place(shop, &headers).await.metadata()).await;
    let calls = trace.spans().iter().filter(|span| span.attribute("rpc.system.name").is_some());
    let budget = |call: &SpanRecord| call.attribute("grpc.timeout_ms").unwrap().parse().unwrap();
    calls.map(budget).collect::<Vec<_>>().try_into().unwrap()
}

#[tokio::test]
async fn what_a_call_may_take_shrinks_on_each_hop() {
    let shop = Shop::open().await;
    for (timeout, given) in [(None, 10_000), (Some("9S"), 9_000), (Some("1H"), 3_600_000)] {
        let budgets = budgets(&shop, timeout).await;
        assert_eq!(budgets[0], given);
        assert!(budgets.is_sorted_by(|outer, inner| outer >= inner), "{timeout:?} {budgets:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_charge_has_its_own_time_when_its_caller_has_less() {
    let shop = Shop::open().await;
    // The order service sees a charge through, though nobody waits any more.
    let [gateway, to_order, order, to_payment, payment] = budgets(&shop, Some("5S")).await;
    assert_eq!(gateway, 5_000);
    assert!(to_order <= gateway && order == to_order, "{to_order} {order}");
    assert!(to_payment > 5_000 && to_payment <= 8_000 && payment == to_payment, "{to_payment} {payment}");
    shop.close().await;
}
