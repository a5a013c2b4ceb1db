//! Which trace headers a request carries, built with some that are stale.

use super::*;
use crate::Propagation;

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const STALE: [(&str, &str); 3] = [("traceparent", "stale"), ("tracestate", "stale=1"), ("baggage", "stale=2")];

/// The headers that such a request is sent with inside a trace that came with a list and with baggage. `OWN` stands for
/// the `traceparent` of the request's own span.
async fn sent(propagate: Propagate, propagators: &str) -> String {
    let environment = [("OTEL_PROPAGATORS", propagators)].into_iter().collect();
    let headers = [("traceparent", CALLER), ("tracestate", "vendor=1"), ("baggage", "user=7")];
    let mut bench = Bench::within(&environment, &Propagation::default().extract(&header_map(headers), &Context::new()));
    bench.client = bench.client.propagate(propagate);
    let peer = Peer::start(OK, Then::Close).await;
    let mut request = bench.get(&peer.address);
    request.headers_mut().extend(header_map(STALE));
    let answer = bench.client.execute(request, CALL).with_context(bench.root.clone()).await;
    answer.unwrap().bytes().await.unwrap();

    let (head, span) = (peer.head(), bench.span().await);
    let own = format!("00-{}-{}-01", span.trace_id, span.span_id);
    let is_context = |line: &&str| STALE.iter().any(|(name, _)| line.starts_with(name));
    let mut lines: Vec<_> = head.lines().filter(is_context).map(|line| line.replace(&own, "OWN")).collect();
    lines.sort();
    lines.join("; ")
}

fn header_map(headers: [(&'static str, &str); 3]) -> HeaderMap {
    headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

#[tokio::test]
async fn trace_headers_go_out_only_as_chosen() {
    assert_eq!(sent(Propagate::Nothing, "").await, "");
    assert_eq!(sent(Propagate::TraceParent, "").await, "traceparent: OWN");
    assert_eq!(sent(Propagate::All, "").await, "baggage: user=7; traceparent: OWN; tracestate: vendor=1");
}

#[tokio::test]
async fn the_environment_decides_what_all_is() {
    let stale = "traceparent: stale; tracestate: stale=1";
    assert_eq!(sent(Propagate::All, "tracecontext").await, "baggage: stale=2; traceparent: OWN; tracestate: vendor=1");
    assert_eq!(sent(Propagate::All, "baggage").await, format!("baggage: user=7; {stale}"));
    assert_eq!(sent(Propagate::All, "none").await, format!("baggage: stale=2; {stale}"));
}

#[tokio::test]
async fn stale_headers_go_where_the_context_has_nothing_in_their_place() {
    let mut bench = Bench::new();
    bench.client = bench.client.propagate(Propagate::All);
    let mut headers = header_map(STALE);
    bench.client.carry(&bench.root, &mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["traceparent"]);
    assert_ne!(headers["traceparent"], "stale");
}
