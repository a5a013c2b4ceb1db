//! The gateway, asked as any caller would ask it.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use proto::gateway::v1 as pb;
use proto::gateway::v1::shop_service_client::ShopServiceClient;
use proto::types::v1::{Customer, Item, Order};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::columns::printable;
use crate::connection::{Connection, Foreign, is_unreachable};
use crate::order::code_name;

/// How much longer than the deadline the answer is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// Asks a gateway that trusts its callers to have the trace kept, however few are sampled.
const KEEP: &str = "x-demo-keep";

/// The gateway's client. It connects at its first call; its clones share the connection.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    address: String,
    client: ShopServiceClient<Connection>,
}

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
    /// What else is sent along.
    pub(crate) metadata: MetadataMap,
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

// === impl Gateway ===

impl Gateway {
    /// The client of the gateway at `address`, for example `http://127.0.0.1:50050`.
    pub(crate) fn new(address: &str) -> anyhow::Result<Self> {
        let client = ShopServiceClient::with_origin(Connection::new(), address.parse()?);
        Ok(Self { address: address.to_owned(), client })
    }

    /// Places an order.
    ///
    /// # Errors
    /// When nothing answers there or what answers speaks no gRPC. A status is not an error here but an outcome.
    pub(crate) async fn place(&self, order: NewOrder) -> anyhow::Result<Placed> {
        let patience = order.deadline.map(|deadline| deadline.saturating_add(GRACE));
        let mut client = self.client.clone();
        let started = Instant::now();
        let call = client.place_order(order.into_request());
        let answer = match patience {
            Some(patience) => tokio::time::timeout(patience, call).await.ok(),
            None => Some(call.await),
        };
        let took = started.elapsed();
        match answer {
            None => Ok(Placed { outcome: None, took, trace_id: None, replayed: false }),
            Some(Err(status)) if is_unreachable(&status) || Foreign::of(&status).is_some() => {
                Err(self.refused(&status))
            }
            Some(Err(status)) => Ok(Placed::new(status.metadata().clone(), took, Err(status))),
            Some(Ok(response)) => {
                let (metadata, body, _) = response.into_parts();
                let order = body.order.context("the gateway's answer holds no order")?;
                Ok(Placed::new(metadata, took, Ok(order)))
            }
        }
    }

    /// The newest orders, `count` of them or all there are.
    ///
    /// # Errors
    /// When nothing answers, or the call fails.
    pub(crate) async fn newest(&self, count: usize) -> anyhow::Result<Vec<Order>> {
        let mut client = self.client.clone();
        let (mut orders, mut page_token) = (Vec::new(), String::new());
        loop {
            let page_size = i32::try_from(count - orders.len()).unwrap_or(i32::MAX);
            let answer = client.list_orders(pb::ListOrdersRequest { page_size, page_token }).await;
            let page = answer.map_err(|status| self.refused(&status))?.into_inner();
            orders.extend(page.orders);
            page_token = page.next_page_token;
            if page_token.is_empty() || orders.len() >= count {
                orders.truncate(count);
                return Ok(orders);
            }
        }
    }

    fn refused(&self, status: &Status) -> anyhow::Error {
        match Foreign::of(status) {
            _ if is_unreachable(status) => anyhow!(nothing_answers(&self.address)),
            Some(foreign) => anyhow!("{}: that is not a gateway: it answered {foreign}", self.address),
            None => anyhow!("{} answered {}: {}", self.address, code_name(status.code()), printable(status.message())),
        }
    }
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
            metadata: MetadataMap::new(),
        }
    }

    /// The same, with its trace kept whatever the sampling says.
    pub(crate) fn kept(mut self) -> Self {
        self.metadata.insert(KEEP, MetadataValue::from_static("1"));
        self
    }

    fn into_request(self) -> Request<pb::PlaceOrderRequest> {
        let mut request = Request::new(pb::PlaceOrderRequest {
            idempotency_key: self.key,
            items: self.items.into_iter().map(|(sku, quantity)| Item { sku, quantity }).collect(),
            customer: Some(Customer { email: self.email }),
            payment_token: self.token,
        });
        *request.metadata_mut() = self.metadata;
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        request
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
    format!(
        "nothing answers at {address}: is the demo running? start it with `cargo run -p demo`, or in compose/ with \
         `docker compose up -d --wait`"
    )
}
