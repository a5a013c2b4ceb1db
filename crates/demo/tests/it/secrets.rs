//! What a customer entrusts to the shop is in no span and in no answer.

use std::time::Duration;

use proto::gateway::v1::PlaceOrderRequest;
use proto::types::v1::Customer;
use tonic::Request;

use crate::calls::order;
use crate::shop::{Member, Shop};

const EMAIL: &str = "canary.mail@example.com";

/// Every token of the bank starts like this, and nothing else that the shop says.
const TOKEN: &str = "tok_";

fn entrusted(token: &str) -> PlaceOrderRequest {
    PlaceOrderRequest { customer: Some(Customer { email: EMAIL.to_owned() }), ..order(token) }
}

#[tokio::test]
async fn no_span_and_no_answer_holds_an_email_or_a_token() {
    let mut shop = Shop::open_with(|settings| {
        settings.bank.slow = Duration::from_millis(500);
        settings.payment.bank_timeout = Duration::from_secs(1);
    })
    .await;
    let mut told = Vec::new();
    for token in ["tok_visa", "tok_declined", "tok_flaky", "tok_timeout", "tok_slow", "tok_down", "tok_canary"] {
        let request = entrusted(token);
        let malformed = PlaceOrderRequest { items: Vec::new(), ..entrusted(token) };
        let reused = PlaceOrderRequest { payment_token: "tok_other".to_owned(), ..request.clone() };
        for request in [request.clone(), request, reused, malformed] {
            told.push(format!("{:?}", shop.place(request).await));
        }
    }
    let mut hurried = Request::new(entrusted("tok_slow"));
    hurried.set_timeout(Duration::from_millis(200));
    told.push(format!("{:?}", shop.place(hurried).await));
    for member in [Member::Bank, Member::Payment, Member::Order] {
        shop.kill(member).await;
        told.push(format!("{:?}", shop.place(entrusted("tok_visa")).await));
    }

    let traces = shop.spans.traces().await;
    told.extend(traces.iter().map(|trace| format!("{:?}", trace.spans())));
    assert!(told.iter().any(|text| text.contains("INSERT INTO order_steps")));
    for text in told {
        assert!(!text.contains(EMAIL) && !text.contains(TOKEN), "{text}");
    }
    shop.close().await;
}
