//! What a code generator would write for the service `versus.v1.Shop` with its one method `Place`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::StdError;
use tonic::server::{NamedService, UnaryService};
use tonic::{GrpcMethod, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::shop::{Order, Place, Receipt};

pub(crate) const SERVICE: &str = "versus.v1.Shop";
pub(crate) const METHOD: &str = "Place";

/// What a code generator would write of the service for reflection.
pub(crate) fn descriptors() -> Vec<u8> {
    let method = MethodDescriptorProto { name: Some(METHOD.to_owned()), ..Default::default() };
    let service = ServiceDescriptorProto { name: Some("Shop".to_owned()), method: vec![method], ..Default::default() };
    let package = Some("versus.v1".to_owned());
    let file = FileDescriptorProto { package, service: vec![service], ..Default::default() };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// A generated client.
#[derive(Clone, Debug)]
pub(crate) struct Client<S> {
    inner: tonic::client::Grpc<S>,
}

/// A generated server.
#[derive(Clone, Debug)]
pub(crate) struct Server<P> {
    handler: Arc<P>,
}

/// A generated server's one method.
struct Method<P>(Arc<P>);

// === impl Client ===

impl<S> Client<S> {
    pub(crate) fn new(channel: S) -> Self
    where
        S: GrpcService<Body>,
    {
        Self { inner: tonic::client::Grpc::new(channel) }
    }
}

impl<S> Place for Client<S>
where
    S: GrpcService<Body> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<StdError>,
    S::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    async fn place(&self, mut request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let mut grpc = self.inner.clone();
        grpc.ready().await.map_err(std::io::Error::other)?;
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, METHOD));
        let path = PathAndQuery::from_static("/versus.v1.Shop/Place");
        grpc.unary(request, path, ProstCodec::<Order, Receipt>::default()).await
    }
}

// === impl Server ===

impl<P> Server<P> {
    pub(crate) fn new(handler: P) -> Self {
        Self { handler: Arc::new(handler) }
    }
}

impl<P> NamedService for Server<P> {
    const NAME: &'static str = SERVICE;
}

impl<P: Place> Service<http::Request<Body>> for Server<P> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = Method(Arc::clone(&self.handler));
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Receipt, Order>::default());
            Ok(grpc.unary(method, request).await)
        })
    }
}

// === impl Method ===

impl<P: Place> UnaryService<Order> for Method<P> {
    type Response = Receipt;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Receipt>, Status>> + Send>>;

    fn call(&mut self, request: Request<Order>) -> Self::Future {
        let handler = Arc::clone(&self.0);
        Box::pin(async move { handler.place(request).await })
    }
}
