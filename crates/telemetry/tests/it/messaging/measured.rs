//! The metrics of `docs/messaging/messaging-metrics.md`, semantic conventions 1.45.

use std::convert::Infallible;

use telemetry::MessageContext;
use telemetry::testing::Spans;

use super::{both, done, sent, service};

const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

const SENT: &str = "\
shop messaging.client.operation.duration [error.type=full, messaging.destination.name=order.events, messaging.operation.name=send, messaging.operation.type=send, messaging.system=outbox] count 1
shop messaging.client.operation.duration [messaging.destination.name=order.events, messaging.operation.name=create, messaging.operation.type=create, messaging.system=outbox] count 1
shop messaging.client.operation.duration [messaging.destination.name=order.events, messaging.operation.name=send, messaging.operation.type=send, messaging.system=outbox] count 2
shop messaging.client.sent.messages [error.type=full, messaging.destination.name=order.events, messaging.operation.name=send, messaging.system=outbox] 1
shop messaging.client.sent.messages [messaging.destination.name=order.events, messaging.operation.name=send, messaging.system=outbox] 4
";

#[tokio::test]
async fn what_is_sent_is_counted_and_what_is_only_made_is_not() {
    let spans = Spans::new();
    let (producer, _) = both(&spans);
    let context = sent(&producer).await;
    producer.create().run(done()).await.unwrap();
    producer.send_created([&context, &context, &context]).run(done()).await.unwrap();
    producer.send().fail("full");
    assert_eq!(spans.metrics().await.render("messaging."), SENT);
}

const PUSHED: &str = "\
shop messaging.client.consumed.messages [messaging.consumer.group.name=mails, messaging.destination.name=order.events, messaging.operation.name=process, messaging.system=outbox] 3
shop messaging.process.duration [messaging.consumer.group.name=mails, messaging.destination.name=order.events, messaging.operation.name=process, messaging.operation.type=process, messaging.system=outbox] count 2
";

const PULLED: &str = "\
shop messaging.client.consumed.messages [messaging.destination.name=order.events, messaging.operation.name=receive, messaging.system=outbox] 2
shop messaging.client.operation.duration [messaging.destination.name=order.events, messaging.operation.name=receive, messaging.operation.type=receive, messaging.system=outbox] count 2
shop messaging.process.duration [messaging.destination.name=order.events, messaging.operation.name=process, messaging.operation.type=process, messaging.system=outbox] count 2
";

#[tokio::test]
async fn a_message_is_consumed_once_whether_it_is_pushed_or_pulled() {
    let spans = Spans::new();
    let consumer = both(&spans).1.group("mails");
    let message = MessageContext::default();
    consumer.process(&message).run(done()).await.unwrap();
    consumer.process_all([&message, &message]).run(done()).await.unwrap();
    assert_eq!(spans.metrics().await.render("messaging."), PUSHED);

    let spans = Spans::new();
    let consumer = both(&spans).1.pulling();
    for batch in [vec![message.clone(), message], Vec::new()] {
        let fetched = consumer.receive(async { Ok::<_, Infallible>(batch) }, Vec::clone).await.unwrap();
        for message in &fetched {
            consumer.process(message).run(done()).await.unwrap();
        }
    }
    assert_eq!(spans.metrics().await.render("messaging."), PULLED);
}

#[tokio::test]
async fn a_duration_is_as_long_as_the_span_and_in_the_buckets_of_the_conventions() {
    let spans = Spans::new();
    both(&spans).1.process(&MessageContext::default()).run(done()).await.unwrap();
    let metrics = spans.metrics().await;
    let traces = spans.traces().await;
    let span = &traces[0].spans()[0];
    let nanoseconds = (metrics.sum("messaging.process.duration", &[]) * 1e9).round() as u64;
    assert_eq!(nanoseconds, span.end - span.start);
    assert_eq!(metrics.boundaries("messaging.process.duration"), SECONDS);
}

#[tokio::test]
async fn without_metrics_there_are_spans() {
    let spans = Spans::new();
    let telemetry = service(&spans, &[("OTEL_METRICS_EXPORTER", "none")]);
    sent(&telemetry.producer("outbox", "order.events")).await;
    spans.traces().await[0].assert_tree("shop PRODUCER send order.events");
    assert_eq!(spans.metrics().await.render(""), "");
}
