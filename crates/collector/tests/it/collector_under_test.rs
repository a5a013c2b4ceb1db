use std::io::Write;
use std::net::SocketAddr;

use collector::{Config, Error, Listeners};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

/// A collector of one test's own.
pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) query: SocketAddr,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), Error>>,
}

pub(crate) async fn start() -> Collector {
    start_with(Config::default()).await
}

pub(crate) async fn start_with(config: Config) -> Collector {
    let listen = || TcpListener::bind("127.0.0.1:0");
    let (grpc, http, query) = tokio::try_join!(listen(), listen(), listen()).unwrap();
    let [grpc_at, http_at, query_at] = [&grpc, &http, &query].map(|listener| listener.local_addr().unwrap());

    let (stop, stopped) = oneshot::channel();
    let served = collector::serve(Listeners { grpc, http, query }, config, async {
        stopped.await.unwrap_or_default();
    });
    #[expect(clippy::disallowed_methods, reason = "nothing is traced here")]
    let served = tokio::spawn(served);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Collector { grpc: grpc_at, http: http_at, query: query_at, client, stop, served }
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

impl Collector {
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap().connect_lazy()
    }

    pub(crate) fn traces(&self) -> TraceServiceClient<Channel> {
        TraceServiceClient::new(self.channel())
    }

    /// A POST to OTLP/HTTP, still to be sent.
    pub(crate) fn post(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(format!("http://{}{path}", self.http)).header("content-type", content_type).body(body)
    }

    /// Sends JSON that must be accepted, and gives the answer back.
    pub(crate) async fn send_json(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, "application/json", body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "application/json");
        answer.json().await.unwrap()
    }

    pub(crate) async fn send_protobuf(&self, path: &str, body: &impl Message) -> Vec<u8> {
        let answer = self.post(path, "application/x-protobuf", body.encode_to_vec()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "application/x-protobuf");
        answer.bytes().await.unwrap().to_vec()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("http://{}{path}", self.query)).send().await.unwrap()
    }

    /// What the query API answers, which must be a success.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/json");
        answer.json().await.unwrap()
    }

    pub(crate) async fn stats(&self) -> Value {
        self.read("/api/stats").await
    }

    /// Stops it and waits until it has.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stop.send(()).unwrap();
        self.served.await.unwrap()
    }
}
