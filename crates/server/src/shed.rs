//! Sheds load: over so many calls in flight, a call is answered at once instead of making all of them late.
//!
//! A call counts until its response body has ended, so a stream counts for as long as it runs. One over the limit gets
//! RESOURCE_EXHAUSTED with a `google.rpc.RetryInfo` and, for clients that retry by themselves, `grpc-retry-pushback-ms`.
//!
//! gRPC's own services, health and reflection, always pass and do not count: a busy instance is not a broken one, and
//! their streams stay open for as long as someone watches.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tower_layer::Layer;
use tower_service::Service;

/// When a caller may try again: long enough for calls in flight to make room.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The same, as gRPC's own retries read it.
const RETRY_PUSHBACK: HeaderValue = HeaderValue::from_static("500");

/// The package of gRPC's own services.
const ALWAYS_SERVED: &str = "/grpc.";

/// Puts a [`Shed`] before a service; all services of one layer share its limit.
#[derive(Clone, Debug)]
pub(crate) struct ShedLayer {
    places: Arc<Semaphore>,
    limit: u32,
}

/// The service [`ShedLayer`] makes: passes a call on when there is a place for it.
#[derive(Clone, Debug)]
pub(crate) struct Shed<S> {
    inner: S,
    places: Arc<Semaphore>,
}

pin_project! {
    /// The future of [`Shed`].
    #[project = ResponseFutureProjection]
    pub(crate) enum ResponseFuture<F> {
        /// The call runs and holds its place; health and reflection need none.
        Passed { #[pin] inner: F, place: Option<OwnedSemaphorePermit> },
        /// There was no place.
        Shed,
    }
}

pin_project! {
    /// A response body that gives its call's place back when it is dropped, which hyper does as soon as it has ended.
    #[derive(Default)]
    pub(crate) struct ResponseBody<B> {
        #[pin]
        inner: B,
        place: Option<OwnedSemaphorePermit>,
    }
}

// === impl ShedLayer ===

impl ShedLayer {
    pub(crate) fn new(limit: u32) -> Self {
        Self { places: Arc::new(Semaphore::new(limit as usize)), limit }
    }

    /// Resolves once no call is in flight.
    pub(crate) async fn idle(&self) {
        // Fails only when the semaphore is closed, and nothing closes it.
        let _places = self.places.acquire_many(self.limit).await;
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed { inner, places: Arc::clone(&self.places) }
    }
}

// === impl Shed ===

impl<S, B, R> Service<Request<B>> for Shed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let place = if request.uri().path().starts_with(ALWAYS_SERVED) {
            None
        } else {
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return ResponseFuture::Shed,
            }
        };
        ResponseFuture::Passed { inner: self.inner.call(request), place }
    }
}

// === impl ResponseFuture ===

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ResponseFutureProjection::Passed { inner, place } => {
                let response = ready!(inner.poll(cx))?;
                let place = place.take();
                Poll::Ready(Ok(response.map(|inner| ResponseBody { inner, place })))
            }
            ResponseFutureProjection::Shed => Poll::Ready(Ok(refusal())),
        }
    }
}

fn refusal<R: Default>() -> Response<R> {
    let details = ErrorDetails::with_retry_info(Some(RETRY_DELAY));
    let status = Status::with_error_details(Code::ResourceExhausted, "too many calls in flight", details);
    let mut response = status.into_http();
    response.headers_mut().insert("grpc-retry-pushback-ms", RETRY_PUSHBACK);
    response
}

// === impl ResponseBody ===

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    type Answer = Result<Response<tonic::body::Body>, Infallible>;

    async fn call<S>(service: &mut Shed<S>) -> Response<ResponseBody<tonic::body::Body>>
    where
        S: Service<Request<()>, Response = Response<tonic::body::Body>, Error = Infallible>,
    {
        let Ok(response) = service.call(Request::new(())).await;
        response
    }

    #[tokio::test]
    async fn a_call_counts_until_its_response_body_is_gone() {
        let layer = ShedLayer::new(1);
        let mut service = layer.layer(tower::service_fn(|_| async { Answer::Ok(Response::default()) }));

        let streaming = call(&mut service).await;
        assert_eq!(call(&mut service).await.headers()["grpc-status"], "8");

        drop(streaming);
        assert!(!call(&mut service).await.headers().contains_key("grpc-status"));
        layer.idle().await;
    }
}
