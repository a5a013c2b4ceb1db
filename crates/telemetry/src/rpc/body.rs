use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;

use crate::deadline::Timer;
use crate::rpc::call::{Call, deadline_status, panic_status};
use crate::rpc::outcome::{Outcome, Side, status_of};

pin_project! {
    /// The body of an observed call: passes every frame on and ends the call with what its trailers say.
    pub struct ResponseBody<B> {
        // `None` is the empty body of an answer of our own, and of one that has ended.
        #[pin]
        inner: Option<B>,
        watch: Option<Watch>,
    }
}

/// What is watched while a body flows.
pub(crate) struct Watch {
    pub(crate) call: Call,
    pub(crate) timer: Timer,
    pub(crate) http_status: StatusCode,
    pub(crate) trace_headers: bool,
}

type Polled<T> = Poll<Option<Result<Frame<T>, Status>>>;

// === impl ResponseBody ===

impl<B> ResponseBody<B> {
    pub(crate) fn watched(inner: B, watch: Watch) -> Self {
        Self { inner: Some(inner), watch: Some(watch) }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { inner: None, watch: None }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<tonic::codegen::StdError>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<Bytes> {
        let mut this = self.project();
        let (Some(inner), Some(watch)) = (this.inner.as_mut().as_pin_mut(), this.watch) else {
            return Poll::Ready(None);
        };
        let polled = watch.poll(inner, cx);
        if watch.is_over(&polled) {
            this.inner.set(None);
        } else if let (Poll::Ready(Some(Ok(_))), Some(inner)) = (&polled, this.inner.as_ref().as_pin_ref())
            && watch.call.side() == Side::Server
            && inner.is_end_stream()
        {
            // The transport will not ask again; a client does.
            watch.call.finish(&Outcome::of_missing_status(watch.http_status));
        }
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
    fn poll<B>(&mut self, inner: Pin<&mut B>, cx: &mut Context<'_>) -> Polled<Bytes>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<tonic::codegen::StdError>,
    {
        let polled = match self.call.side() {
            // Nothing below reads an answer but the transport; whoever reads it here is the caller.
            Side::Client => Ok(inner.poll_frame(cx)),
            Side::Server => {
                let _entered = self.call.enter();
                catch_unwind(AssertUnwindSafe(|| inner.poll_frame(cx)))
            }
        };
        match polled {
            Err(payload) => {
                self.call.record_panic(payload.as_ref());
                self.end_with(&Outcome::panic(), panic_status(self.call.context()))
            }
            Ok(Poll::Pending)
                if self.call.deadline().is_some_and(|deadline| deadline.poll_passed(&mut self.timer, cx)) =>
            {
                let status = deadline_status();
                self.end_with(&Outcome::of_status(&status), status)
            }
            Ok(Poll::Pending) => Poll::Pending,
            // A body that always has more never lets the timer speak.
            Ok(Poll::Ready(Some(Ok(frame)))) if frame.is_data() && self.call.is_late() => {
                let status = deadline_status();
                self.end_with(&Outcome::of_status(&status), status)
            }
            Ok(Poll::Ready(Some(Ok(frame)))) => Poll::Ready(Some(Ok(self.see(frame)))),
            Ok(Poll::Ready(Some(Err(error)))) => {
                let status = status_of(error.into());
                self.call.finish(&Outcome::of_status(&status));
                Poll::Ready(Some(Err(status)))
            }
            Ok(Poll::Ready(None)) => {
                self.call.finish(&Outcome::of_missing_status(self.http_status));
                Poll::Ready(None)
            }
        }
    }

    /// Whether nothing of the inner body is wanted any more.
    fn is_over(&self, polled: &Polled<Bytes>) -> bool {
        match polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
            Poll::Ready(_) => true,
        }
    }

    fn see(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_trailers() {
            Ok(mut trailers) => {
                self.call.saw_trailers(&trailers);
                let said = Outcome::of_headers(&trailers);
                let outcome = said.unwrap_or_else(|| Outcome::of_missing_status(self.http_status));
                if outcome.code != tonic::Code::Ok {
                    self.add_trace_headers(&mut trailers);
                }
                self.call.finish(&outcome);
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }
    }

    /// Ends a body that has begun with a status of our own.
    fn end_with(&mut self, outcome: &Outcome, status: Status) -> Polled<Bytes> {
        let mut trailers = status.into_http::<()>().into_parts().0.headers;
        trailers.remove(http::header::CONTENT_TYPE);
        self.add_trace_headers(&mut trailers);
        self.call.finish(outcome);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn add_trace_headers(&self, headers: &mut HeaderMap) {
        if self.trace_headers {
            crate::propagation::answer(self.call.context(), headers);
        }
    }
}
