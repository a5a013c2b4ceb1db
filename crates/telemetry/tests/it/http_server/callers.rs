//! Whose trace a request belongs to, and what the answer says of it.

use telemetry::TrustTrace;

use super::{Site, site, site_in};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Asks with a caller's context; gives back the trace id that the handler saw.
async fn called(site: &Site, traceparent: &str) -> String {
    let request = reqwest::Client::new().get(site.url("/orders/7")).header("traceparent", traceparent);
    site.send(request).await.1.unwrap()
}

fn traceparent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

#[tokio::test]
async fn a_caller_who_is_believed_goes_on_in_its_trace() {
    let site = site(|layer| layer.trust(TrustTrace::All)).await;
    assert_eq!(called(&site, &traceparent()).await, TRACE);
    let span = site.span().await;
    assert_eq!((span.trace_id.as_str(), span.parent_span_id.as_deref()), (TRACE, Some(CALLER)));
    assert!(span.links.is_empty());
}

#[tokio::test]
async fn nobody_is_believed_unless_said_and_the_caller_is_named_by_a_link() {
    let site = site(|layer| layer).await;
    let seen = called(&site, &traceparent()).await;
    let span = site.span().await;
    assert_eq!(seen, span.trace_id);
    assert_ne!(span.trace_id, TRACE);
    assert_eq!(span.parent_span_id, None);
    assert_eq!(span.links, [(TRACE.to_owned(), CALLER.to_owned())]);
}

#[tokio::test]
async fn a_context_that_breaks_a_rule_starts_a_new_trace() {
    for malformed in ["", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-0-0-01"] {
        let site = site(|layer| layer.trust(TrustTrace::All)).await;
        called(&site, malformed).await;
        let span = site.span().await;
        assert_eq!((span.parent_span_id, span.links.len()), (None, 0), "{malformed}");
    }
}

#[tokio::test]
async fn a_quiet_request_makes_no_span_and_passes_its_callers_context_on() {
    let site = site(|layer| layer.trust(TrustTrace::All).quiet(|request| request.uri.path() == "/orders/7")).await;
    assert_eq!(called(&site, &traceparent()).await, TRACE);
    let traces = site.spans.traces().await;
    traces[0].assert_tree(&format!("(parent {CALLER} not received)\n  site INTERNAL order"));
    let metrics = site.spans.metrics().await;
    assert_eq!(metrics.count("http.server.request.duration", &[("http.route", "/orders/{id}")]), 1);
}

#[tokio::test]
async fn a_request_that_is_not_sampled_keeps_its_callers_trace_and_is_measured() {
    let site = site_in(&[("OTEL_TRACES_SAMPLER", "always_off")], |layer| layer.trust(TrustTrace::All)).await;
    assert_eq!(called(&site, &traceparent()).await, TRACE);
    assert!(site.spans.traces().await.is_empty());
    assert_eq!(site.spans.metrics().await.count("http.server.request.duration", &[]), 1);
}

#[tokio::test]
async fn answers_name_their_trace_if_told_to() {
    for (path, status) in [("/orders/7", 200), ("/nowhere", 404), ("/panics", 500)] {
        let site = site(telemetry::HttpServerLayer::answer_trace_headers).await;
        let answer = reqwest::get(site.url(path)).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let of = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let (trace_id, response) = (of("x-trace-id"), of("traceresponse"));
        let span = site.span().await;
        assert_eq!(trace_id, span.trace_id);
        assert_eq!(response, format!("00-{}-{}-03", span.trace_id, span.span_id));
    }
    let silent = site(|layer| layer).await;
    let answer = reqwest::get(silent.url("/orders/7")).await.unwrap();
    assert!(!answer.headers().contains_key("x-trace-id"));
}
