//! The gateway on real sockets, for one test, before an order service that answers what the test says.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Parser;
use proto::gateway::v1 as pb;
use proto::gateway::v1::shop_service_client::ShopServiceClient;
use proto::types::v1 as types;
use telemetry::testing::{Spans, Trace};
use telemetry::{Service, TrustTrace};
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::fake_order::{Answer, FakeOrder};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Everything a test needs; the server goes with it.
pub(crate) struct Stage {
    pub(crate) client: ShopServiceClient<Channel>,
    spans: Spans,
    channel: Channel,
}

// === impl Stage ===

impl Stage {
    /// Before a fake that gives every call `answer`.
    pub(crate) async fn with(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        Self::before(FakeOrder::start(answer).await.address, |_| {}).await
    }

    /// Before whatever is at that address.
    pub(crate) async fn before(order: SocketAddr, adjust: impl FnOnce(&mut gateway::Config)) -> Self {
        let mut config = gateway::Config::parse_from(["gateway"]);
        config.order = format!("http://{order}").parse().unwrap();
        config.trust_trace = TrustTrace::All;
        adjust(&mut config);

        let listeners = server::Listeners { rpc: bind().await, admin: bind().await };
        let url = format!("http://{}", listeners.rpc.local_addr().unwrap());
        let channel = Endpoint::from_shared(url).unwrap().connect_lazy();
        let spans = Spans::new();
        let telemetry = spans.service(Service::new("gateway", "0.0.0"));
        telemetry::spawn(async move {
            gateway::serve(listeners, config, telemetry, std::future::pending()).await.unwrap();
        });
        let client = ShopServiceClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
        Self { client, spans, channel }
    }

    pub(crate) async fn place(&self) -> Result<Response<pb::PlaceOrderResponse>, Status> {
        self.client.clone().place_order(order()).await
    }

    /// What the gateway says of its health.
    pub(crate) async fn health(&self) -> ServingStatus {
        let all = HealthCheckRequest { service: String::new() };
        HealthClient::new(self.channel.clone()).check(all).await.unwrap().into_inner().status()
    }

    /// The trace of a call, once all its work has ended, by what the call was answered with.
    pub(crate) async fn trace(&self, answered: &MetadataMap) -> Trace {
        self.spans.trace(trace_id(answered)).await
    }
}

pub(crate) fn order() -> pb::PlaceOrderRequest {
    pb::PlaceOrderRequest {
        idempotency_key: "a-key".to_owned(),
        items: vec![types::Item { sku: "tea".to_owned(), quantity: 2 }],
        customer: Some(types::Customer { email: "ada@example.com".to_owned() }),
        payment_token: "tok_visa".to_owned(),
    }
}

/// The trace that an answer names.
pub(crate) fn trace_id(answered: &MetadataMap) -> &str {
    answered.get("x-trace-id").unwrap().to_str().unwrap()
}

pub(crate) async fn bind() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}
