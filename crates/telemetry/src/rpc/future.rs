use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tonic::Status;

use crate::deadline::Timer;
use crate::rpc::body::{ResponseBody, Watch};
use crate::rpc::call::{Call, deadline_status, panic_status};
use crate::rpc::outcome::{Outcome, Side, status_of};

pin_project! {
    /// The answer to an observed call, until its head is there; the body goes on from then.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
        call: Option<Call>,
        timer: Timer,
        trace_headers: bool,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Running { #[pin] inner: F },
        // The call was never made: this is its answer.
        Refused { answer: Option<Status> },
    }
}

const ENDED: &str = "a future is not polled after it has ended";

type Answer<B> = Result<Response<ResponseBody<B>>, Status>;

// === impl ResponseFuture ===

impl<F> ResponseFuture<F> {
    /// Observes what `start` starts. A call whose deadline has passed is not started; a panic of `start` is its answer.
    pub(crate) fn new(mut call: Call, trace_headers: bool, start: impl FnOnce() -> F) -> Self {
        let state = if call.is_late() {
            State::Refused { answer: Some(deadline_status()) }
        } else {
            match run(&call, start) {
                Ok(inner) => State::Running { inner },
                Err(payload) => State::Refused { answer: Some(panicked(&mut call, payload.as_ref())) },
            }
        };
        Self { state, call: Some(call), timer: Timer::default(), trace_headers }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<tonic::codegen::StdError>,
    B: Body<Data = Bytes>,
{
    type Output = Answer<B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<B>> {
        let this = self.project();
        let slot = this.call;
        let call = slot.as_ref().expect(ENDED);
        let polled = match this.state.project() {
            StateProjection::Running { inner } => run(call, || inner.poll(cx)),
            StateProjection::Refused { answer } => {
                let status = answer.take().expect(ENDED);
                return Poll::Ready(refuse(slot.take().expect(ENDED), status, *this.trace_headers));
            }
        };
        if let Ok(Poll::Pending) = polled
            && !call.deadline().is_some_and(|deadline| deadline.poll_passed(this.timer, cx))
        {
            return Poll::Pending;
        }
        // Only now: a call is large to be moved with every poll.
        let mut call = slot.take().expect(ENDED);
        Poll::Ready(match polled {
            Ok(Poll::Pending) => refuse(call, deadline_status(), *this.trace_headers),
            Ok(Poll::Ready(Ok(response))) if call.side() == Side::Client && is_foreign(&response) => {
                let http = response.status();
                let code = Outcome::of_missing_status(http).code;
                refuse(call, Status::new(code, format!("the answer is not gRPC: HTTP status {http}")), false)
            }
            Ok(Poll::Ready(Ok(response))) => Ok(watch(response, call, *this.trace_headers)),
            Ok(Poll::Ready(Err(error))) => refuse(call, status_of(error.into()), *this.trace_headers),
            Err(payload) => {
                let status = panicked(&mut call, payload.as_ref());
                refuse(call, status, *this.trace_headers)
            }
        })
    }
}

/// Runs a step of the call in its context. Only a server must survive the panic of somebody else's code.
fn run<T>(call: &Call, step: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    let _guard = call.enter();
    match call.side() {
        Side::Client => Ok(step()),
        Side::Server => catch_unwind(AssertUnwindSafe(step)),
    }
}

/// Whether an answer comes from something between the client and the server that speaks HTTP only.
fn is_foreign<B>(response: &Response<B>) -> bool {
    response.status() != http::StatusCode::OK && Outcome::of_headers(response.headers()).is_none()
}

fn panicked(call: &mut Call, payload: &(dyn Any + Send)) -> Status {
    call.record_panic(payload);
    call.finish(&Outcome::panic());
    panic_status(call.context())
}

/// Ends a call that has no answer from below: a server sends the status, a client fails with it.
fn refuse<B>(mut call: Call, status: Status, trace_headers: bool) -> Answer<B> {
    call.record_cause(&status);
    call.finish(&Outcome::of_status(&status));
    if call.side() == Side::Client {
        return Err(status);
    }
    let mut response = status.into_http();
    if trace_headers {
        crate::propagation::answer(call.context(), response.headers_mut());
    }
    Ok(response)
}

/// Goes on watching an answer whose head is there; one that is all head ends here.
fn watch<B: Body>(response: Response<B>, mut call: Call, trace_headers: bool) -> Response<ResponseBody<B>> {
    let (mut parts, body) = response.into_parts();
    if let Some(status) = parts.extensions.get::<Status>() {
        call.record_cause(status);
    }
    call.saw_headers(&parts.headers);
    if trace_headers {
        crate::propagation::answer(call.context(), &mut parts.headers);
    }
    // An answer without a body has its status in its head, any other has it in its trailers.
    if body.is_end_stream() {
        let said = Outcome::of_headers(&parts.headers);
        call.finish(&said.unwrap_or_else(|| Outcome::of_missing_status(parts.status)));
    }
    let watch = Watch { call, timer: Timer::default(), http_status: parts.status, trace_headers };
    Response::from_parts(parts, ResponseBody::watched(body, watch))
}
