//! The services of OTLP/gRPC, for whoever takes what is exported.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncReadExt, stdin};
use tonic::body::Body;
use tonic::codec::Codec;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tower_service::Service;

/// Takes the requests of one signal.
pub(crate) trait Take: Clone + Send + 'static {
    /// The service that exporters call.
    const SERVICE: &'static str;

    /// What is made of a request.
    type Request: Send + 'static;
    type Codec: Codec<Encode = Anything, Decode = Self::Request> + Default + Send;

    fn take(&self, request: Self::Request) -> Answer<Result<(), Status>>;
}

/// The service of one that takes.
#[derive(Clone, Debug)]
pub(crate) struct Taking<T>(pub(crate) T);

/// A message of which nothing is looked at.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Anything {}

pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Returns when the process that has started this one wants to know what was taken.
pub(crate) async fn end_of_input() {
    // An input that cannot be read has ended too.
    let _ = stdin().read_to_end(&mut Vec::new()).await;
}

// === impl Taking ===

impl<T: Take> NamedService for Taking<T> {
    const NAME: &'static str = T::SERVICE;
}

impl<T: Take> Service<http::Request<Body>> for Taking<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let taking = self.clone();
        Box::pin(async move {
            let grpc = Grpc::new(T::Codec::default());
            Ok(grpc.max_decoding_message_size(usize::MAX).unary(taking, request).await)
        })
    }
}

impl<T: Take> UnaryService<T::Request> for Taking<T> {
    type Response = Anything;
    type Future = Answer<Result<Response<Anything>, Status>>;

    fn call(&mut self, request: Request<T::Request>) -> Self::Future {
        let taken = self.0.take(request.into_inner());
        Box::pin(async move { taken.await.map(|()| Response::new(Anything {})) })
    }
}
