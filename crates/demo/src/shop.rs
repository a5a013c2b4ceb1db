//! The gateway, asked as any caller would ask it.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use proto::gateway::v1 as pb;
use proto::gateway::v1::shop_service_client::ShopServiceClient;
use proto::types::v1::{Customer, Item, Order, OrderState};
use tokio::time::timeout;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::columns::printable;
use crate::connection::{Connection, Foreign, is_unreachable};
use crate::order::code_name;

/// How much longer than the deadline the answer is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// How long an order may take that names no deadline: the gateway itself gives none as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a page of orders may take.
const PAGE_PATIENCE: Duration = Duration::from_secs(10);

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
    /// Sent as `grpc-timeout`; without one the caller waits for a while, and tells nobody.
    pub(crate) deadline: Option<Duration>,
    /// What else is sent along.
    pub(crate) metadata: MetadataMap,
}

/// What became of an order.
#[derive(Debug)]
pub(crate) struct Placed {
    /// The order, or the status the call ended with; `None` when there was no answer in time.
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
        let patience = order.deadline.map_or(PATIENCE, |deadline| deadline.saturating_add(GRACE));
        let mut client = self.client.clone();
        let started = Instant::now();
        let answer = timeout(patience, client.place_order(order.into_request())).await.ok();
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
            let request = pb::ListOrdersRequest { page_size, page_token };
            let Ok(answer) = timeout(PAGE_PATIENCE, client.list_orders(request)).await else {
                bail!("{} has not listed its orders in {PAGE_PATIENCE:?}", self.address);
            };
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

    /// Whether it is paid too: what the bank says of one that is accepted may be outstanding.
    pub(crate) fn is_paid(&self) -> bool {
        matches!(&self.outcome, Some(Ok(order)) if order.state() == OrderState::Paid)
    }
}

/// The same call, with its trace kept whatever the sampling says.
pub(crate) fn kept<T>(mut request: Request<T>) -> Request<T> {
    request.metadata_mut().insert(KEEP, MetadataValue::from_static("1"));
    request
}

/// How it is told that nobody listens.
const NOTHING_ANSWERS: &str = "nothing answers at";

/// That nobody listens at `address`.
pub(crate) fn nothing_answers(address: &str) -> String {
    format!("{NOTHING_ANSWERS} {address}")
}

/// What to tell someone whose demo is not running, or elsewhere: for the end of what was told, once.
pub(crate) fn hint(told: &str) -> Option<&'static str> {
    told.contains(NOTHING_ANSWERS).then_some(
        "is the demo running? start it with `cargo run -p demo`, or in compose/ with `docker compose up -d --wait`",
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A gateway that takes connections and never answers.
    async fn silent() -> (Gateway, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (Gateway::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap(), listener)
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_never_answers_is_not_waited_for_for_ever() {
        let (gateway, _listener) = silent().await;
        let placed = gateway.place(NewOrder::example()).await.unwrap();
        assert!(placed.outcome.is_none() && !placed.succeeded() && !placed.is_paid());
        let said = gateway.newest(1).await.unwrap_err().to_string();
        assert!(said.ends_with("has not listed its orders in 10s"), "{said}");
    }

    #[test]
    fn only_who_reached_nobody_is_asked_whether_the_demo_runs() {
        assert!(hint(&format!("payment: {}", nothing_answers("http://a:1"))).is_some());
        assert!(hint("trace 7 has not arrived").is_none());
    }
}
