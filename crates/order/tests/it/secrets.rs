//! What the customer entrusts to the shop stays where it belongs.

use proto::order::v1::PlaceOrderRequest;
use proto::payment::v1::PaymentState;
use proto::types::v1::Customer;
use telemetry::testing::Trace;
use tonic::Status;

use crate::fake_payment::{Charge, FakePayment};
use crate::stage::{Stage, order};

const EMAIL: &str = "canary.mail@example.com";
const TOKEN: &str = "tok_canary_5105105105105100";

fn canaries() -> PlaceOrderRequest {
    PlaceOrderRequest { customer: Some(Customer { email: EMAIL.to_owned() }), ..order(TOKEN) }
}

async fn place(
    stage: &Stage,
    payment: &mut FakePayment,
    order: &PlaceOrderRequest,
    answer: impl FnOnce(Charge),
) -> Result<String, Status> {
    let (placed, ()) = tokio::join!(stage.place(order), async {
        let charge = payment.next().await;
        assert_eq!(charge.request.payment_token, TOKEN);
        answer(charge);
    });
    placed.map(|placed| format!("{placed:?}"))
}

fn contains(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
}

#[tokio::test]
async fn a_payment_token_is_erased_when_the_payment_ends() {
    let (stage, mut payment) = Stage::with_fake().await;
    let orders = [(); 5].map(|()| canaries());
    for _ in 0..2 {
        for order in &orders {
            place(&stage, &mut payment, order, |charge| charge.is(PaymentState::Pending)).await.unwrap();
        }
    }
    let (declined, paid) = orders.split_at(2);
    for order in declined {
        place(&stage, &mut payment, order, |charge| charge.declines("CARD_DECLINED")).await.unwrap_err();
    }
    for order in paid {
        place(&stage, &mut payment, order, |charge| charge.is(PaymentState::Captured)).await.unwrap();
    }
    let stored = stage.stored_bytes().await;
    assert!(!contains(&stored, TOKEN));
    assert!(contains(&stored, EMAIL));
}

#[tokio::test]
async fn a_payment_token_is_kept_while_the_payment_may_go_on() {
    let (stage, mut payment) = Stage::with_fake().await;
    place(&stage, &mut payment, &canaries(), |charge| charge.is(PaymentState::Pending)).await.unwrap();
    assert!(contains(&stage.stored_bytes().await, TOKEN));
}

#[tokio::test]
async fn answers_and_spans_carry_no_secret() {
    let (stage, mut payment) = Stage::with_fake().await;
    let mut told =
        vec![place(&stage, &mut payment, &canaries(), |charge| charge.is(PaymentState::Captured)).await.unwrap()];
    let faults: [fn(Charge); 4] = [
        |charge| charge.declines("CARD_DECLINED"),
        |charge| charge.fails(Status::unavailable("down")),
        |charge| charge.fails(Status::invalid_argument("bad")),
        |charge| charge.is(PaymentState::Unspecified),
    ];
    for fault in faults {
        told.push(format!("{:?}", place(&stage, &mut payment, &canaries(), fault).await.unwrap_err()));
    }
    let malformed = PlaceOrderRequest { items: Vec::new(), ..canaries() };
    told.push(format!("{:?}", stage.place(&malformed).await.unwrap_err()));
    told.extend(stage.spans.traces().await.iter().map(everything));

    assert!(told.iter().any(|text| text.contains("INSERT INTO order_steps")));
    for text in told {
        assert!(!text.contains(EMAIL) && !text.contains(TOKEN), "{text}");
    }
}

/// All that a trace says.
fn everything(trace: &Trace) -> String {
    format!("{:?}", trace.spans())
}
