//! A service with a method of each RPC kind, which behaves as its first message says.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use telemetry::{RpcChannel, RpcServerLayer, Telemetry};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::body::Body;
use tonic::server::{
    ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::transport::{Endpoint, Server};
use tonic::{GrpcMethod, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower_service::Service;

pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;
type Answering = Pin<Box<dyn Future<Output = Result<Messages, Status>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(Request<String>) -> Answering + Send + Sync>;

pub(crate) const KINDS: [&str; 4] = ["Unary", "ClientStream", "ServerStream", "Bidi"];

/// The service: one handler for all methods.
#[derive(Clone)]
pub(crate) struct Kinds {
    pub(crate) handler: Handler,
}

pub(crate) fn handler<F>(handler: impl Fn(Request<String>) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = Result<Messages, Status>> + Send + 'static,
{
    Arc::new(move |request| Box::pin(handler(request)))
}

/// Behaves as told: see the arms. `entered` is notified when it runs and will never answer.
pub(crate) fn told(entered: &Arc<Notify>) -> Handler {
    let entered = Arc::clone(entered);
    handler(move |request| {
        let entered = Arc::clone(&entered);
        async move {
            match request.into_inner().as_str() {
                "ok" => Ok(messages([Ok("one".to_owned())])),
                "error before" => Err(Status::not_found("nothing here")),
                "error after" => Ok(messages([Ok("one".to_owned()), Err(Status::data_loss("gone"))])),
                "panic" => panic!("the handler's own"),
                "panic after" => Ok(Box::pin(messages([Ok("one".to_owned())]).chain(panicking())) as Messages),
                "hang" => {
                    entered.notify_one();
                    std::future::pending().await
                }
                "hang after" => {
                    entered.notify_one();
                    Ok(Box::pin(messages([Ok("one".to_owned())]).chain(tokio_stream::pending())) as Messages)
                }
                other => Err(Status::invalid_argument(other.to_owned())),
            }
        }
    })
}

pub(crate) fn messages<const N: usize>(items: [Result<String, Status>; N]) -> Messages {
    Box::pin(tokio_stream::iter(items))
}

fn panicking() -> impl Stream<Item = Result<String, Status>> {
    tokio_stream::iter([()]).map(|()| panic!("the stream's own"))
}

/// A descriptor set that knows these methods of `test.v1.Kinds`.
pub(crate) fn descriptors(methods: &[&str]) -> Vec<u8> {
    use prost::Message;
    use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
    let named = |name: &&str| MethodDescriptorProto { name: Some((*name).to_owned()), ..Default::default() };
    let method = methods.iter().map(named).collect();
    let service = vec![ServiceDescriptorProto { name: Some("Kinds".into()), method, ..Default::default() }];
    let file = FileDescriptorProto { package: Some("test.v1".into()), service, ..Default::default() };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// Serves on a free port for as long as the test runs.
pub(crate) async fn serve(layer: RpcServerLayer, handler: Handler) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().layer(layer).add_service(Kinds { handler });
    #[expect(clippy::disallowed_methods, reason = "belongs to no request")]
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// A traced client of `address`.
pub(crate) fn client(telemetry: &Telemetry, address: SocketAddr) -> Client<RpcChannel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    Client { inner: tonic::client::Grpc::new(telemetry.rpc_client(&endpoint).layer(endpoint.connect_lazy())) }
}

#[derive(Clone)]
pub(crate) struct Client<S> {
    pub(crate) inner: tonic::client::Grpc<S>,
}

/// What the caller of a method sees: the head's metadata, and after the messages the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) metadata: tonic::metadata::MetadataMap,
    pub(crate) end: Result<(), Status>,
}

impl<S> Client<S>
where
    S: tonic::client::GrpcService<Body>,
    S::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<tonic::codegen::StdError>,
{
    /// Calls a method of kind `kind` with one message and reads the answer to its end.
    pub(crate) async fn call(&mut self, kind: &'static str, message: &str) -> Result<Answer, Status> {
        self.send(kind, Request::new(message.to_owned())).await
    }

    pub(crate) async fn send(&mut self, kind: &'static str, request: Request<String>) -> Result<Answer, Status> {
        let (metadata, mut stream, _) = self.open(kind, request).await?.into_parts();
        let end = loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(status) => break Err(status),
            }
        };
        Ok(Answer { metadata, end })
    }

    /// The same up to the answer's head. Every kind is a stream of messages on the wire.
    pub(crate) async fn open(
        &mut self,
        kind: &'static str,
        request: Request<String>,
    ) -> Result<Response<Streaming<String>>, Status> {
        let path = format!("/test.v1.Kinds/{kind}").parse().unwrap();
        let mut request = request.map(tokio_stream::once);
        request.extensions_mut().insert(GrpcMethod::new("test.v1.Kinds", kind));
        self.inner.ready().await.map_err(|error| Status::from_error(error.into()))?;
        self.inner.streaming(request, path, ProstCodec::<String, String>::default()).await
    }
}

// === impl Kinds ===

impl NamedService for Kinds {
    const NAME: &'static str = "test.v1.Kinds";
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

impl Kinds {
    fn many(&self, request: Request<String>) -> Boxed<Messages> {
        let answer = (self.handler)(request);
        Box::pin(async { answer.await.map(Response::new) })
    }

    fn one(&self, request: Request<String>) -> Boxed<String> {
        let answer = (self.handler)(request);
        Box::pin(async {
            let first = answer.await?.next().await;
            first.unwrap_or_else(|| Err(Status::unknown("no message"))).map(Response::new)
        })
    }

    /// Handles the first message of a stream of them.
    fn first<T: 'static>(
        &self,
        request: Request<Streaming<String>>,
        answer: fn(&Self, Request<String>) -> Boxed<T>,
    ) -> Boxed<T> {
        let this = self.clone();
        Box::pin(async move {
            let (metadata, extensions, mut messages) = request.into_parts();
            let message = messages.message().await?.unwrap_or_default();
            answer(&this, Request::from_parts(metadata, extensions, message)).await
        })
    }
}

impl UnaryService<String> for Kinds {
    type Response = String;
    type Future = Boxed<String>;
    fn call(&mut self, request: Request<String>) -> Self::Future {
        self.one(request)
    }
}

impl ClientStreamingService<String> for Kinds {
    type Response = String;
    type Future = Boxed<String>;
    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        self.first(request, Self::one)
    }
}

impl ServerStreamingService<String> for Kinds {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Boxed<Messages>;
    fn call(&mut self, request: Request<String>) -> Self::Future {
        self.many(request)
    }
}

impl StreamingService<String> for Kinds {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Boxed<Messages>;
    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        self.first(request, Self::many)
    }
}

impl Service<http::Request<Body>> for Kinds {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<String, String>::default());
            Ok(match request.uri().path().rsplit('/').next().unwrap() {
                "Unary" => grpc.unary(service, request).await,
                "ClientStream" => grpc.client_streaming(service, request).await,
                "ServerStream" => grpc.server_streaming(service, request).await,
                "Bidi" => grpc.streaming(service, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}
