use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;

use super::*;

const CALLER: &str = "00-12345678901234567890123456789012-1234567890123456-00";

#[tokio::test]
async fn three_hops_pass_the_context_on_by_interceptors_alone() {
    let mut request = Request::new(());
    request.metadata_mut().append("traceparent", CALLER.parse().unwrap());
    request.metadata_mut().append("tracestate", "foo@=1".parse().unwrap());
    request.metadata_mut().append("tracestate", "bar=2".parse().unwrap());
    request.metadata_mut().append("baggage", "user=7;p".parse().unwrap());
    for _ in 0..3 {
        request = hop(request).await;
    }
    let metadata = request.metadata();
    assert_eq!(metadata.get("traceparent").unwrap(), CALLER);
    assert_eq!(metadata.get_all("tracestate").iter().collect::<Vec<_>>(), ["foo@=1,bar=2"]);
    assert_eq!(metadata.get("baggage").unwrap(), "user=7;p");
}

/// What a service does between its interceptors: it is called, works a while, and calls.
async fn hop(received: Request<()>) -> Request<()> {
    let received = ExtractContext::default().call(received).unwrap();
    let handler = async {
        tokio::task::yield_now().await;
        InjectContext::default().call(Request::new(())).unwrap()
    };
    in_context(&received, handler).await
}

#[tokio::test]
async fn the_context_is_current_inside_the_future_only() {
    let mut request = Request::new(());
    request.metadata_mut().append("traceparent", CALLER.parse().unwrap());
    let request = ExtractContext::default().call(request).unwrap();
    assert!(context_of(&request).has_active_span());

    let inside = in_context(&request, async {
        tokio::task::yield_now().await;
        Context::current().has_active_span()
    });
    let outside = async {
        tokio::task::yield_now().await;
        Context::current().has_active_span()
    };
    assert_eq!(tokio::join!(inside, outside), (true, false));
    assert!(!Context::current().has_active_span());
}

#[test]
fn a_request_without_a_context_gets_the_current_one() {
    let _attached = Context::current_with_baggage([opentelemetry::KeyValue::new("user", "7")]).attach();
    let request = ExtractContext::default().call(Request::new(())).unwrap();
    assert_eq!(context_of(&request).baggage().len(), 1);
    assert_eq!(context_of(&Request::new(())).baggage().len(), 1);
}

#[test]
fn what_is_not_asked_for_is_neither_read_nor_written() {
    let mut request = Request::new(());
    request.metadata_mut().append("traceparent", CALLER.parse().unwrap());
    request.metadata_mut().append("baggage", "user=7".parse().unwrap());
    let request = ExtractContext::new(Propagation::NONE).call(request).unwrap();
    let cx = context_of(&request);
    assert!(!cx.has_active_span() && cx.baggage().is_empty());

    let request = InjectContext::new(Propagation::NONE).call(request).unwrap();
    assert_eq!(request.metadata().get("traceparent").unwrap(), CALLER);
    assert_eq!(request.metadata().get("baggage").unwrap(), "user=7");
}
