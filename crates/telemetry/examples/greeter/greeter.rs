//! What the build makes of a proto file, written by hand and as short as it gets: so the examples need no proto.
//!
//! A service of your own has this from `tonic-prost-build`; nothing in here knows of telemetry.
//!
//! ```proto
//! package greeter.v1;
//! service Greeter { rpc SayHello(HelloRequest) returns (HelloReply); }
//! message HelloRequest { string name = 1; }
//! message HelloReply { string greeting = 1; }
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::StdError;
use tonic::server::{NamedService, UnaryService};
use tonic::{GrpcMethod, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

const SERVICE: &str = "greeter.v1.Greeter";

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloReply {
    #[prost(string, tag = "1")]
    pub(crate) greeting: String,
}

/// What a server of the service does.
pub(crate) trait Greeter: Send + Sync + 'static {
    fn say_hello(
        &self,
        request: Request<HelloRequest>,
    ) -> impl Future<Output = Result<Response<HelloReply>, Status>> + Send;
}

/// Serves a [`Greeter`].
#[derive(Debug)]
pub(crate) struct GreeterServer<G>(Arc<G>);

/// Calls a [`Greeter`].
#[derive(Clone, Debug)]
pub(crate) struct GreeterClient<S>(tonic::client::Grpc<S>);

/// A future in a box.
type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

// === impl GreeterServer ===

impl<G> GreeterServer<G> {
    pub(crate) fn new(greeter: G) -> Self {
        Self(Arc::new(greeter))
    }
}

impl<G> Clone for GreeterServer<G> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<G> NamedService for GreeterServer<G> {
    const NAME: &'static str = SERVICE;
}

impl<G: Greeter> UnaryService<HelloRequest> for GreeterServer<G> {
    type Response = HelloReply;
    type Future = Boxed<Response<HelloReply>, Status>;

    fn call(&mut self, request: Request<HelloRequest>) -> Self::Future {
        let greeter = Arc::clone(&self.0);
        Box::pin(async move { greeter.say_hello(request).await })
    }
}

impl<G: Greeter> Service<http::Request<Body>> for GreeterServer<G> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Boxed<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != "/greeter.v1.Greeter/SayHello" {
                return Ok(Status::unimplemented("no such method").into_http());
            }
            let codec = ProstCodec::<HelloReply, HelloRequest>::default();
            Ok(tonic::server::Grpc::new(codec).unary(service, request).await)
        })
    }
}

// === impl GreeterClient ===

impl<S> GreeterClient<S>
where
    S: GrpcService<Body>,
    S::Error: Into<StdError>,
    S::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    pub(crate) fn new(channel: S) -> Self {
        Self(tonic::client::Grpc::new(channel))
    }

    pub(crate) async fn say_hello(&mut self, name: impl Into<String>) -> Result<Response<HelloReply>, Status> {
        self.0.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let mut request = Request::new(HelloRequest { name: name.into() });
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "SayHello"));
        let path = PathAndQuery::from_static("/greeter.v1.Greeter/SayHello");
        self.0.unary(request, path, ProstCodec::<HelloRequest, HelloReply>::default()).await
    }
}
