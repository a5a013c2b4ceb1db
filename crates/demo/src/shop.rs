//! The gateway, asked as any caller would ask it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use proto::gateway::v1 as pb;
use proto::gateway::v1::shop_service_client::ShopServiceClient;
use proto::types::v1::{Customer, Item, Order};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::connection::{Connection, Foreign, is_unreachable};

/// How much longer than the deadline the answer is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// An order to place. Holds an e-mail address and a payment token, hence no `Debug`.
pub(crate) struct NewOrder {
    /// Each sku and how many of it.
    pub(crate) items: Vec<(String, i32)>,
    /// Who orders.
    pub(crate) email: String,
    /// Stands for the card.
    pub(crate) token: String,
    /// The idempotency key.
    pub(crate) key: String,
    /// Sent as `grpc-timeout`.
    pub(crate) deadline: Option<Duration>,
    /// Sent as it is, so that a malformed one can be tried too.
    pub(crate) traceparent: Option<String>,
}

/// What became of an order.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The order, or the status the call ended with; `None` when the deadline passed without any answer.
    pub(crate) outcome: Option<Result<Order, Status>>,
    /// How long the call took.
    pub(crate) took: Duration,
    /// The trace's id, if an answer came with one.
    pub(crate) trace_id: Option<String>,
    /// Whether the answer was given before, to the same key.
    pub(crate) replayed: bool,
}

// === impl NewOrder ===

impl NewOrder {
    /// The order the demo places by itself: under a fresh key, paid by a card that works.
    pub(crate) fn example() -> Self {
        Self {
            items: vec![("tea".to_owned(), 2), ("mug".to_owned(), 1)],
            email: "ada@example.com".to_owned(),
            token: "tok_visa".to_owned(),
            key: Uuid::new_v4().to_string(),
            deadline: None,
            traceparent: None,
        }
    }

    /// Places the order at the gateway.
    ///
    /// # Errors
    /// When nothing answers there or what answers speaks no gRPC, or the request cannot be written. A status is not an error here but an outcome.
    pub(crate) async fn place(self, gateway: &str) -> anyhow::Result<Placed> {
        let patience = self.deadline.map(|deadline| deadline.saturating_add(GRACE));
        let request = self.into_request()?;
        let mut client = ShopServiceClient::with_origin(Connection::new(), gateway.parse()?);

        let started = Instant::now();
        let call = client.place_order(request);
        let answer = match patience {
            Some(patience) => tokio::time::timeout(patience, call).await.ok(),
            None => Some(call.await),
        };
        let took = started.elapsed();
        match answer {
            None => Ok(Placed { outcome: None, took, trace_id: None, replayed: false }),
            Some(Err(status)) if is_unreachable(&status) => bail!(nothing_answers(gateway)),
            Some(Err(status)) => match Foreign::of(&status) {
                Some(foreign) => bail!("{gateway}: that is not a gateway: it answered {foreign}"),
                None => Ok(Placed::new(status.metadata().clone(), took, Err(status))),
            },
            Some(Ok(response)) => {
                let (metadata, body, _) = response.into_parts();
                let order = body.order.context("the gateway's answer holds no order")?;
                Ok(Placed::new(metadata, took, Ok(order)))
            }
        }
    }

    fn into_request(self) -> anyhow::Result<Request<pb::PlaceOrderRequest>> {
        let mut request = Request::new(pb::PlaceOrderRequest {
            idempotency_key: self.key,
            items: self.items.into_iter().map(|(sku, quantity)| Item { sku, quantity }).collect(),
            customer: Some(Customer { email: self.email }),
            payment_token: self.token,
        });
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        if let Some(traceparent) = self.traceparent {
            let value = traceparent.parse().context("--traceparent holds characters that no header can")?;
            request.metadata_mut().insert("traceparent", value);
        }
        Ok(request)
    }
}

// === impl Placed ===

impl Placed {
    fn new(metadata: MetadataMap, took: Duration, outcome: Result<Order, Status>) -> Self {
        let text = |key| metadata.get(key).and_then(|value| value.to_str().ok());
        Self {
            outcome: Some(outcome),
            took,
            trace_id: text("x-trace-id").map(str::to_owned),
            replayed: text("idempotent-replayed") == Some("true"),
        }
    }

    /// Whether the order was accepted.
    pub(crate) fn succeeded(&self) -> bool {
        matches!(self.outcome, Some(Ok(_)))
    }
}

/// What to tell someone whose demo is not running, or elsewhere.
pub(crate) fn nothing_answers(address: &str) -> String {
    format!("nothing answers at {address}: is the demo running? start it with `cargo run -p demo`")
}
