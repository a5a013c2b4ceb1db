//! A store that fails or is held up.

use proto::payment::v1::PaymentState;
use proto::types::v1::OrderState;
use tonic::Code;
use tonic_types::StatusExt;

use crate::stage::{Stage, order, placed};

#[tokio::test]
async fn a_store_that_fails_shows_nothing_of_itself() {
    let (stage, mut payment) = Stage::with_fake().await;
    sqlx::query("DROP TABLE order_lines").execute(&mut stage.database().await).await.unwrap();

    let status = stage.place(&order("tok_visa")).await.unwrap_err();
    let trace = status.metadata().get("x-trace-id").unwrap().to_str().unwrap();
    assert_eq!((status.code(), status.message()), (Code::Internal, format!("internal error, trace {trace}").as_str()));
    assert!(status.details().is_empty());
    payment.assert_not_asked();

    let trace = stage.trace(status.metadata()).await;
    let span = trace.span("SERVER", "shop.order.v1.OrderService/PlaceOrder");
    let (_, cause) = span.events.iter().find(|(name, _)| name == "exception").unwrap();
    let (_, message) = cause.iter().find(|(key, _)| key == "exception.message").unwrap();
    assert!(message.starts_with("the store failed: ") && message.contains("order_lines"), "{message}");
}

#[tokio::test]
async fn a_store_that_is_locked_is_unavailable_and_nothing_is_begun() {
    let (stage, mut payment) = Stage::with_fake().await;
    let mut other = stage.database().await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();

    let request = order("tok_visa");
    let status = stage.place(&request).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the store is busy"));
    assert!(status.get_details_retry_info().is_some());
    payment.assert_not_asked();

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let (answer, ()) = tokio::join!(stage.place(&request), async { payment.next().await.is(PaymentState::Captured) });
    assert_eq!(placed(answer).state(), OrderState::Paid);
}
