use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::serving::{Failure, Serving};

pin_project! {
    /// The body of an answer to an observed request: passes every frame on and ends the request with the last.
    pub struct HttpResponseBody<B> {
        // `None` is the empty body of an answer of our own.
        #[pin]
        inner: Option<B>,
        watch: Option<Watch>,
    }
}

/// What is watched while a body flows.
pub(super) struct Watch {
    serving: Serving,
    /// How many bytes are to come, if the answer said so.
    left: Option<u64>,
}

// === impl HttpResponseBody ===

impl<B> HttpResponseBody<B> {
    pub(super) fn empty() -> Self {
        Self { inner: None, watch: None }
    }

    pub(super) fn watched(inner: B, watch: Watch) -> Self {
        Self { inner: Some(inner), watch: Some(watch) }
    }
}

impl<B: Body> Body for HttpResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let (Some(inner), Some(watch)) = (this.inner.as_mut().as_pin_mut(), this.watch) else {
            return Poll::Ready(None);
        };
        let polled = watch.run(|| inner.poll_frame(cx));
        let is_over = this.inner.as_ref().as_pin_ref().is_none_or(|inner| inner.is_end_stream());
        watch.see(&polled, is_over);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(serving: Serving, length: Option<u64>) -> Self {
        Self { serving, left: length }
    }

    /// Runs a step of the body in the request's context. Part of the answer is out, so a panic cannot be answered any
    /// more: it goes on, and the caller sees the connection break instead of a body that looks whole.
    fn run<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let guard = self.serving.enter();
        let ran = catch_unwind(AssertUnwindSafe(step));
        drop(guard);
        ran.unwrap_or_else(|payload| {
            self.serving.panicked(payload.as_ref());
            self.serving.finish();
            resume_unwind(payload)
        })
    }

    /// Takes note of what a body has given; `is_over` says whether it has no more.
    fn see<T: Buf, E>(&mut self, polled: &Poll<Option<Result<Frame<T>, E>>>, is_over: bool) {
        match polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                self.left = self.left.map(|left| left.saturating_sub(length));
                // The server will not ask again: it knows that this was all.
                if is_over {
                    self.serving.finish();
                }
            }
            Poll::Ready(Some(Err(_))) => {
                self.serving.fail(Failure::Body);
                self.serving.finish();
            }
            Poll::Ready(None) => self.serving.finish(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Of an answer whose length is known the server asks for no more than that, and drops the rest.
        if self.left == Some(0) {
            self.serving.finish();
        }
    }
}
