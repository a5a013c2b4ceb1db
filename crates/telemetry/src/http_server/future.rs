use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::{HttpResponseBody, Watch};
use super::serving::{Failure, Serving};

pin_project! {
    /// The answer to an observed request, until its head is there; the body goes on from then.
    pub struct HttpResponseFuture<F> {
        // `None`: the service panicked before there was a future.
        #[pin]
        inner: Option<F>,
        serving: Option<Serving>,
        trace_headers: bool,
    }
}

// === impl HttpResponseFuture ===

impl<F> HttpResponseFuture<F> {
    /// Observes what `start` starts.
    pub(super) fn new(mut serving: Serving, trace_headers: bool, start: impl FnOnce() -> F) -> Self {
        let inner = run(&mut serving, start);
        Self { inner, serving: Some(serving), trace_headers }
    }
}

impl<F, B, E> Future for HttpResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<HttpResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut serving = this.serving.take().expect("a future is not polled after it has ended");
        let polled = this.inner.as_pin_mut().and_then(|inner| run(&mut serving, || inner.poll(cx)));
        let shown = this.trace_headers.then(|| serving.context().clone());
        let mut response = match polled {
            Some(Poll::Pending) => {
                *this.serving = Some(serving);
                return Poll::Pending;
            }
            Some(Poll::Ready(Ok(response))) => watch(response, serving),
            Some(Poll::Ready(Err(error))) => {
                serving.fail(Failure::Service);
                serving.finish();
                return Poll::Ready(Err(error));
            }
            None => apology(serving),
        };
        if let Some(cx) = shown {
            crate::propagation::answer(&cx, response.headers_mut());
        }
        Poll::Ready(Ok(response))
    }
}

/// Runs a step of the request in its context; `None` if it panicked, which must not unwind through the server.
fn run<T>(serving: &mut Serving, step: impl FnOnce() -> T) -> Option<T> {
    let guard = serving.enter();
    let ran = catch_unwind(AssertUnwindSafe(step));
    drop(guard);
    ran.map_err(|payload| serving.panicked(payload.as_ref())).ok()
}

/// The answer to a request whose handler panicked.
fn apology<B>(mut serving: Serving) -> Response<HttpResponseBody<B>> {
    serving.answered(StatusCode::INTERNAL_SERVER_ERROR);
    serving.finish();
    let mut response = Response::new(HttpResponseBody::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Goes on watching an answer whose head is there; one that is all head ends here.
fn watch<B: Body>(response: Response<B>, mut serving: Serving) -> Response<HttpResponseBody<B>> {
    let has_body = serving.answered(response.status());
    serving.saw_headers(response.headers());
    let length = content_length(response.headers()).or(response.body().size_hint().exact());
    if !has_body || response.body().is_end_stream() || length == Some(0) {
        serving.finish();
    }
    response.map(|body| HttpResponseBody::watched(body, Watch::new(serving, length)))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
