//! What the payment service's failures mean for an order.

use proto::payment::v1::{Payment, PaymentState};
use proto::types::v1::OrderState;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::fake_payment::Charge;
use crate::stage::{Stage, bind, order, placed};

async fn place(fault: impl FnOnce(Charge)) -> Result<OrderState, Status> {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let (answer, ()) = tokio::join!(stage.place(&request), async { fault(payment.next().await) });
    answer.map(|answer| answer.into_inner().order.unwrap().state())
}

#[tokio::test]
async fn an_answer_that_tells_nothing_of_the_money_leaves_the_order_pending() {
    for code in [Code::Unknown, Code::Internal, Code::DeadlineExceeded, Code::Cancelled, Code::DataLoss] {
        let state = place(|charge| charge.fails(Status::new(code, "secret"))).await.unwrap();
        assert_eq!(state, OrderState::PaymentPending, "{code:?}");
    }
}

#[tokio::test]
async fn a_payment_service_that_is_too_busy_is_unavailable() {
    let status = place(|charge| charge.fails(Status::resource_exhausted("secret"))).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the payment cannot be completed now"));
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_refusal_that_is_no_banks_is_an_internal_error_with_the_trace() {
    for code in [Code::InvalidArgument, Code::NotFound, Code::Unimplemented, Code::FailedPrecondition] {
        assert_internal(&place(|charge| charge.fails(Status::new(code, "secret"))).await.unwrap_err());
    }
    assert_internal(&place(|charge| charge.declines("IDEMPOTENCY_KEY_REUSED")).await.unwrap_err());
}

#[tokio::test]
async fn a_payment_in_a_state_that_ends_no_charge_is_an_internal_error() {
    assert_internal(&place(|charge| charge.is(PaymentState::Unspecified)).await.unwrap_err());
    assert_internal(&place(|charge| charge.is(PaymentState::Declined)).await.unwrap_err());
    let nameless = Payment { state: PaymentState::Captured.into(), ..Default::default() };
    assert_internal(&place(|charge| charge.answer(Ok(nameless))).await.unwrap_err());
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_order_pending() {
    let (stage, mut payment) = Stage::with_fake().await;
    let request = order("tok_visa");
    let (answer, _unanswered) = tokio::join!(stage.place(&request), async {
        let charge = payment.next().await;
        payment.line.cut();
        charge
    });
    let order = placed(answer);
    assert_eq!((order.state(), order.payment_id.as_str()), (OrderState::PaymentPending, ""));
}

#[tokio::test]
async fn a_payment_service_that_is_not_there_is_unavailable() {
    let nobody = bind().await.local_addr().unwrap();
    let payment = format!("http://{nobody}").parse().unwrap();
    let (stage, _payment) = Stage::with_fake_and(|config| config.payment = payment).await;
    let request = order("tok_visa");
    for _ in 0..2 {
        let status = stage.place(&request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "the payment cannot be completed now"));
        assert!(status.get_details_retry_info().is_some());
    }
}

#[track_caller]
fn assert_internal(status: &Status) {
    assert_eq!(status.code(), Code::Internal, "{status:?}");
    let trace = status.metadata().get("x-trace-id").unwrap().to_str().unwrap();
    assert_eq!(status.message(), format!("internal error, trace {trace}"));
    assert!(status.details().is_empty());
}
