//! Messages: what is sent, carried and consumed, as `docs/messaging` of the semantic conventions 1.45 has it.

mod carried;
mod failures;
mod measured;

use std::convert::Infallible;

use telemetry::testing::{SpanRecord, Spans, Trace};
use telemetry::{Consumer, Environment, MessageContext, Producer, Service, Telemetry};

fn service(spans: &Spans, settings: &[(&str, &str)]) -> Telemetry {
    let environment: Environment = settings.iter().copied().collect();
    spans.service_in(Service::new("shop", "0"), &environment)
}

/// A producer and a consumer of the same destination.
fn both(spans: &Spans) -> (Producer, Consumer) {
    let telemetry = service(spans, &[]);
    (telemetry.producer("outbox", "order.events"), telemetry.consumer("outbox", "order.events"))
}

async fn done() -> Result<(), Infallible> {
    Ok(())
}

/// A message that was sent, by the context it carries.
async fn sent(producer: &Producer) -> MessageContext {
    let sending = producer.send();
    let context = sending.message_context();
    sending.run(done()).await.unwrap();
    context
}

fn id(span: &SpanRecord) -> (String, String) {
    (span.trace_id.clone(), span.span_id.clone())
}

fn sorted(span: &SpanRecord) -> Vec<(&str, &str)> {
    let mut attributes: Vec<_> = span.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    attributes.sort_unstable();
    attributes
}

#[tokio::test]
async fn a_message_that_is_sent_carries_its_producers_span() {
    let spans = Spans::new();
    let producer = service(&spans, &[]).producer("kafka", "order.events").server("broker.example", 9092);
    let sending = producer.send().message_id("m-1");
    let context = sending.message_context();
    sending.run(done()).await.unwrap();

    let traces = spans.traces().await;
    traces[0].assert_tree("shop PRODUCER send order.events");
    let span = &traces[0].spans()[0];
    let expected = [
        ("messaging.destination.name", "order.events"),
        ("messaging.message.id", "m-1"),
        ("messaging.operation.name", "send"),
        ("messaging.operation.type", "send"),
        ("messaging.system", "kafka"),
        ("server.address", "broker.example"),
        ("server.port", "9092"),
    ];
    assert_eq!(sorted(span), expected);
    let traceparent = format!("00-{}-{}-03", span.trace_id, span.span_id);
    assert!(context.pairs().eq([("traceparent", traceparent.as_str())]));
}

#[tokio::test]
async fn a_message_is_processed_in_a_trace_of_its_own_that_is_linked_to_its_producer() {
    let spans = Spans::new();
    let (producer, consumer) = both(&spans);
    let context = sent(&producer).await;
    let processing = consumer.group("notification").process(&context).message_id("m-1");
    processing.run(delivered()).await.unwrap();

    let traces = spans.traces().await;
    traces[1].assert_tree("shop CONSUMER process order.events\n  shop INTERNAL delivered");
    let (sent, processed) = (&traces[0].spans()[0], &traces[1].spans()[0]);
    assert_ne!(sent.trace_id, processed.trace_id);
    assert_eq!(processed.links, [id(sent)]);
    let expected = [
        ("messaging.consumer.group.name", "notification"),
        ("messaging.destination.name", "order.events"),
        ("messaging.message.id", "m-1"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.system", "outbox"),
    ];
    assert_eq!(sorted(processed), expected);
}

#[tracing::instrument]
async fn delivered() -> Result<(), Infallible> {
    Ok(())
}

#[tracing::instrument(skip_all)]
async fn working(consumer: &Consumer, context: &MessageContext) {
    consumer.process(context).run(done()).await.unwrap();
}

/// The trace of the sending, and that of the worker that processed what was sent.
async fn worked(configured: impl FnOnce(Consumer) -> Consumer) -> Vec<Trace> {
    let spans = Spans::new();
    let (producer, consumer) = both(&spans);
    let context = sent(&producer).await;
    // The worker's span is the ambient one.
    let consumer = configured(consumer);
    let round = producer.create();
    round.in_context(working(&consumer, &context)).await;
    round.succeed();
    spans.traces().await
}

#[tokio::test]
async fn processing_within_a_span_is_its_child_and_linked_to_the_producer() {
    let traces = worked(|consumer| consumer).await;
    traces[1].assert_tree(
        "
        shop PRODUCER create order.events
          shop INTERNAL working
            shop CONSUMER process order.events
    ",
    );
    assert_eq!(traces[1].span("CONSUMER", "process order.events").links, [id(&traces[0].spans()[0])]);
}

#[tokio::test]
async fn processing_continues_the_producers_trace_if_told_to_and_is_linked_to_the_span_it_runs_in() {
    let traces = worked(Consumer::continue_trace).await;
    traces[0].assert_tree("shop PRODUCER send order.events\n  shop CONSUMER process order.events");
    let processed = traces[0].span("CONSUMER", "process order.events");
    assert_eq!(processed.links, [id(&traces[0].spans()[0]), id(traces[1].span("INTERNAL", "working"))]);
}

#[tokio::test]
async fn a_message_without_a_context_is_processed_all_the_same() {
    for consumer in [|consumer| consumer, Consumer::continue_trace] {
        let spans = Spans::new();
        let consumer = consumer(both(&spans).1);
        let message = MessageContext::default();
        consumer.process(&message).run(done()).await.unwrap();
        let round = both(&spans).0.create();
        round.in_context(working(&consumer, &message)).await;
        round.succeed();
        let traces = spans.traces().await;
        traces[0].assert_tree("shop CONSUMER process order.events");
        for trace in traces {
            assert!(trace.span("CONSUMER", "process order.events").links.is_empty());
        }
    }
}

#[tokio::test]
async fn batches_are_linked_to_each_message_and_say_how_many() {
    let spans = Spans::new();
    let (producer, consumer) = both(&spans);
    let mut created = Vec::new();
    for _ in 0..2 {
        let creating = producer.create();
        created.push(creating.message_context());
        creating.run(done()).await.unwrap();
    }
    producer.send_created(&created).run(done()).await.unwrap();
    let fetched = consumer.receive(async { Ok::<_, Infallible>(created.clone()) }, Vec::clone).await.unwrap();
    consumer.process_all(&fetched).run(done()).await.unwrap();
    consumer.settle(&fetched).run(done()).await.unwrap();

    let traces = spans.traces().await;
    let origins: Vec<_> = traces[..2].iter().map(|trace| id(trace.span("PRODUCER", "create order.events"))).collect();
    let rest = [("CLIENT", "send"), ("CLIENT", "receive"), ("CONSUMER", "process"), ("CLIENT", "settle")];
    for (trace, (kind, operation)) in traces[2..].iter().zip(rest) {
        let span = trace.span(kind, &format!("{operation} order.events"));
        assert_eq!(span.links, origins, "{operation}");
        assert_eq!(span.attribute("messaging.batch.message_count"), Some("2"), "{operation}");
        assert!(!span.is_error, "{operation}");
    }
}
