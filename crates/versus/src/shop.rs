//! The service under test: an order of about 100 bytes, a receipt of about 25, and nothing that takes time.

use tonic::{Request, Response, Status};

/// What is asked for.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Order {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) customer: String,
    #[prost(string, tag = "3")]
    pub(crate) item: String,
    #[prost(int64, tag = "4")]
    pub(crate) quantity: i64,
}

/// The answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Receipt {
    #[prost(string, tag = "1")]
    pub(crate) number: String,
}

/// Takes orders: a server's handler, or a client of one.
pub(crate) trait Place: Clone + Send + Sync + 'static {
    fn place(&self, request: Request<Order>) -> impl Future<Output = Result<Response<Receipt>, Status>> + Send;
}

/// The handler: takes the steps, asks the next hop, answers.
#[derive(Clone, Debug)]
pub(crate) struct Shop<C> {
    pub(crate) next: Option<C>,
    pub(crate) steps: bool,
}

// === impl Order ===

impl Order {
    /// The order that every candidate is asked for.
    pub(crate) fn example() -> Self {
        Self {
            id: "0198f1c2-7d3e-7a41-9c55-3f0e8d21b6aa".to_owned(),
            customer: "customer-0198f1c2-7d3e-7a41-9c55".to_owned(),
            item: "espresso machine, black".to_owned(),
            quantity: 2,
        }
    }
}

// === impl Shop ===

impl<C: Place> Place for Shop<C> {
    async fn place(&self, request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let order = request.into_inner();
        if self.steps {
            validate(&order).await;
            price(&order).await;
            reserve(&order).await;
        }
        match &self.next {
            Some(next) => next.place(Request::new(order)).await,
            None => Ok(Response::new(Receipt { number: "receipt-000000000042".to_owned() })),
        }
    }
}

#[tracing::instrument(skip_all, fields(order.id = %order.id, order.quantity = order.quantity, strict = true))]
async fn validate(order: &Order) {
    tracing::info!(quantity = order.quantity, "order validated");
}

#[tracing::instrument(skip_all, fields(order.id = %order.id, currency = "EUR", discount = false))]
async fn price(order: &Order) {
    tracing::info!(quantity = order.quantity, "order priced");
}

#[tracing::instrument(skip_all, fields(order.id = %order.id, warehouse = "north", attempt = 1))]
async fn reserve(order: &Order) {
    tracing::info!(quantity = order.quantity, "stock reserved");
}
