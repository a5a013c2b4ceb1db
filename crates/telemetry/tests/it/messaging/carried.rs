//! What a message carries of its context, through rows and headers.

use telemetry::testing::Spans;
use telemetry::{MessageContext, Telemetry};

use super::{done, sent, service};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the processing of a message with this context is linked to.
async fn linked(context: &MessageContext) -> Vec<(String, String)> {
    let spans = Spans::new();
    service(&spans, &[]).consumer("outbox", "order.events").process(context).run(done()).await.unwrap();
    spans.traces().await[0].spans()[0].links.clone()
}

#[tokio::test]
async fn a_context_survives_a_row_and_headers() {
    let row = [("traceparent", TRACEPARENT), ("tracestate", "a=1,b=2"), ("baggage", "tenant=7")];
    let context = MessageContext::from_pairs(row);
    assert!(context.pairs().eq(row));

    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", "stale".parse().unwrap());
    headers.insert("tracestate", "stale=1".parse().unwrap());
    context.write_to(&mut headers);
    assert_eq!(headers.len(), 3);
    let read = MessageContext::from_headers(&headers);
    assert_eq!(linked(&read).await, [(TRACE.to_owned(), SPAN.to_owned())]);

    MessageContext::default().write_to(&mut headers);
    assert!(headers.is_empty());
}

#[tokio::test]
async fn names_match_in_any_case_and_others_are_left_out() {
    let context = MessageContext::from_pairs([("TraceParent", TRACEPARENT), ("authorization", "secret")]);
    assert!(context.pairs().eq([("traceparent", TRACEPARENT)]));
    assert_eq!(linked(&context).await.len(), 1);
}

#[tokio::test]
async fn a_context_that_breaks_a_rule_is_none() {
    let twice = MessageContext::from_pairs([("traceparent", TRACEPARENT); 2]);
    assert_eq!(linked(&twice).await, []);
    for malformed in ["", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "é"] {
        assert_eq!(linked(&MessageContext::from_pairs([("traceparent", malformed)])).await, [], "{malformed}");
    }
    let mut headers = http::HeaderMap::new();
    headers.append("traceparent", TRACEPARENT.parse().unwrap());
    headers.append("traceparent", http::HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(linked(&MessageContext::from_headers(&headers)).await, []);
}

#[tokio::test]
async fn without_a_propagator_nothing_is_carried() {
    let telemetry = service(&Spans::new(), &[("OTEL_PROPAGATORS", "none")]);
    assert_eq!(sent(&telemetry.producer("outbox", "order.events")).await, MessageContext::default());
}

#[tokio::test]
async fn a_sending_that_is_not_sampled_says_so() {
    let telemetry = service(&Spans::new(), &[("OTEL_TRACES_SAMPLER", "always_off")]);
    let context = sent(&telemetry.producer("outbox", "order.events")).await;
    let (_, traceparent) = context.pairs().next().unwrap();
    assert!(traceparent.ends_with("-02"), "{traceparent}");
}

/// The baggage of a message that is sent while another is processed, whose baggage this is.
async fn passed_on(telemetry: &Telemetry, consumes: Vec<&'static str>, produces: Vec<&'static str>) -> Option<String> {
    let context = MessageContext::from_pairs([("traceparent", TRACEPARENT), ("baggage", "tenant=7,user=me,plan=b")]);
    let consumer = telemetry.consumer("outbox", "order.events").baggage(consumes);
    let producer = telemetry.producer("outbox", "mails").baggage(produces);
    let processing = consumer.process(&context);
    let next = processing.in_context(sent(&producer)).await;
    processing.succeed();
    next.pairs().find(|(name, _)| *name == "baggage").map(|(_, value)| value.to_owned())
}

#[tokio::test]
async fn baggage_goes_along_only_where_both_sides_allow_it() {
    let telemetry = service(&Spans::new(), &[]);
    assert_eq!(passed_on(&telemetry, vec![], vec![]).await, None);
    assert_eq!(passed_on(&telemetry, vec!["tenant", "user"], vec![]).await, None);
    assert_eq!(passed_on(&telemetry, vec![], vec!["tenant", "user"]).await, None);
    let some = passed_on(&telemetry, vec!["tenant", "plan"], vec!["user", "tenant", "plan"]).await;
    assert_eq!(some.as_deref(), Some("plan=b,tenant=7"));
}
