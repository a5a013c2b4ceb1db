//! What happens to orders is told: each event at least once, those of an order in their order.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use proto::notification::v1::DeliverRequest;
use proto::order::v1 as pb;
use proto::types::v1::OrderState;
use tokio::net::TcpSocket;
use tonic::{Code, Status};

use crate::fake_notification::FakeNotification;
use crate::stage::{PATIENCE, Stage, bind, order, placed};

/// Before the real payment service, telling `notification`.
async fn telling(notification: SocketAddr) -> Stage {
    Stage::set_and(|config| {
        config.notification = Some(format!("http://{notification}").parse().unwrap());
        config.recovery_interval = Duration::from_millis(20);
    })
    .await
}

/// The events of each order, in the order in which they came.
fn by_order(events: &[DeliverRequest]) -> HashMap<&str, Vec<i64>> {
    let mut orders = HashMap::<_, Vec<_>>::new();
    for event in events {
        orders.entry(event.order_id.as_str()).or_default().push(event.sequence);
    }
    orders
}

async fn parked(stage: &Stage) -> Vec<pb::ParkedEvent> {
    stage.client.clone().list_parked_events(pb::ListParkedEventsRequest {}).await.unwrap().into_inner().events
}

#[tokio::test]
async fn every_event_of_an_order_is_told_once_and_in_order() {
    let mut told = FakeNotification::start(bind().await, |_| None);
    let stage = telling(told.address).await;
    let id = placed(stage.place(&order("tok_visa")).await).id;
    stage.cancel(&id).await.unwrap();
    let events = told.until(4).await;
    let states: Vec<_> = events.iter().map(|event| (event.sequence, event.state())).collect();
    assert_eq!(
        states,
        [
            (1, OrderState::PaymentPending),
            (2, OrderState::Paid),
            (3, OrderState::CancelPending),
            (4, OrderState::Cancelled)
        ]
    );
    assert!(
        events.iter().all(|event| event.order_id == id && event.customer.as_ref().unwrap().email == "ada@example.com")
    );
    assert_eq!(events[0].total.as_ref().unwrap().minor_units, 2100);
    // A restart finds nothing left to tell.
    let stage = stage.restart().await;
    placed(stage.place(&order("tok_visa")).await);
    assert_eq!(told.until(6).await.len(), 6);
}

#[tokio::test]
async fn what_nobody_was_there_to_take_waits() {
    // Bound but not listening: the port is ours, and connections to it are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let stage = telling(socket.local_addr().unwrap()).await;
    for _ in 0..10 {
        placed(stage.place(&order("tok_visa")).await);
    }
    assert!(parked(&stage).await.is_empty());
    let mut told = FakeNotification::start(socket.listen(64).unwrap(), |_| None);
    let events = told.until(20).await;
    assert_eq!(by_order(&events).len(), 10);
    assert!(by_order(&events).values().all(|sequence| *sequence == [1, 2]), "{:?}", by_order(&events));
}

#[tokio::test]
async fn an_event_that_is_refused_for_good_is_parked_and_can_be_asked_for() {
    let stage_of_poison = std::sync::Arc::new(std::sync::Mutex::new(None::<String>));
    let poison = stage_of_poison.clone();
    let mut told = FakeNotification::start(bind().await, move |event| {
        let mut poison = poison.lock().unwrap();
        let poisoned = poison.get_or_insert_with(|| event.order_id.clone());
        (*poisoned == event.order_id).then(|| Status::invalid_argument("not to my taste"))
    });
    let stage = telling(told.address).await;
    let refused = placed(stage.place(&order("tok_visa")).await).id;
    // Others are not held up.
    let other = placed(stage.place(&order("tok_visa")).await).id;
    assert!(told.until(2).await.iter().all(|event| event.order_id == other));

    let waiting = async {
        loop {
            if let [event] = &parked(&stage).await[..] {
                break event.clone();
            }
        }
    };
    let event = tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert_eq!((event.order_id.as_str(), event.sequence, event.state()), (&*refused, 1, OrderState::PaymentPending));

    // Somebody has put right what was wrong.
    *stage_of_poison.lock().unwrap() = Some(String::new());
    let requeue = |event_id: &str| {
        let (mut client, event_id) = (stage.client.clone(), event_id.to_owned());
        async move { client.requeue_event(pb::RequeueEventRequest { event_id }).await }
    };
    requeue(&event.id).await.unwrap();
    let events = told.until(4).await;
    assert_eq!(by_order(&events)[refused.as_str()], [1, 2]);
    assert_eq!(requeue(&event.id).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(requeue("42").await.unwrap_err().code(), Code::InvalidArgument);
    assert!(parked(&stage).await.is_empty());
}

#[tokio::test]
async fn sending_is_a_trace_of_its_own_linked_to_where_the_event_was_written() {
    let mut told = FakeNotification::start(bind().await, |_| None);
    let stage = telling(told.address).await;
    let answer = stage.place(&order("tok_visa")).await.unwrap();
    let placing = stage.trace(answer.metadata()).await;
    let events = told.until(2).await;
    let written: Vec<_> = placing.spans().iter().filter(|span| span.kind == "PRODUCER").collect();
    assert_eq!(written.len(), 2);
    for (event, written) in events.iter().zip(written) {
        let expected = format!("00-{}-{}-", written.trace_id, written.span_id);
        assert!(event.trace.as_ref().unwrap().traceparent.starts_with(&expected), "{event:?}");
        assert_eq!(written.attribute("messaging.message.id"), Some(event.event_id.as_str()));
        let sent = async {
            loop {
                let traces = stage.spans.traces().await;
                let mut of_event = traces.into_iter().filter(|trace| {
                    trace.spans().iter().any(|span| {
                        span.attribute("messaging.message.id") == Some(&event.event_id) && span.kind == "CLIENT"
                    })
                });
                if let Some(trace) = of_event.next() {
                    break trace;
                }
                tokio::task::yield_now().await;
            }
        };
        let trace = tokio::time::timeout(PATIENCE, sent).await.unwrap();
        trace.assert_tree(
            "
            order INTERNAL relay_event
              order CLIENT send order.events
                order CLIENT shop.notification.v1.NotificationService/Deliver
            ",
        );
        let linked = (written.trace_id.clone(), written.span_id.clone());
        assert_eq!(trace.span("CLIENT", "send order.events").links, std::slice::from_ref(&linked));
        assert_eq!(trace.span("INTERNAL", "relay_event").links, [linked]);
    }
    stage.spans.assert_no_secrets(&["ada@example.com"]).await;
}
