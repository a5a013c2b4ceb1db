//! Propagation alone, as tonic interceptors: for a service that passes a trace on and makes no spans of its own.
//!
//! An interceptor cannot wrap the handler, so the handler's own work is put into the context with [`in_context`].

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use opentelemetry::Context;
use pin_project_lite::pin_project;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::Propagation;

/// Reads the caller's context from a request's metadata and leaves it in the request's extensions.
///
/// Refuses no request: one without a context, or with an invalid one, gets the current context.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtractContext {
    propagation: Propagation,
}

/// Writes the current context into the metadata of a request that is about to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct InjectContext {
    propagation: Propagation,
}

pin_project! {
    /// A future that is polled in the context of the request it serves. Made by [`in_context`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InContext<F> {
        #[pin]
        future: F,
        context: Context,
    }
}

/// Polls `future` in the context that [`ExtractContext`] left in `request`.
pub fn in_context<T, F: Future>(request: &Request<T>, future: F) -> InContext<F> {
    InContext { future, context: context_of(request) }
}

/// The context that [`ExtractContext`] left in `request`, or the current one.
pub fn context_of<T>(request: &Request<T>) -> Context {
    request.extensions().get().cloned().unwrap_or_else(Context::current)
}

// === impl ExtractContext ===

impl ExtractContext {
    /// Reads what `propagation` says.
    pub fn new(propagation: Propagation) -> Self {
        Self { propagation }
    }
}

impl Interceptor for ExtractContext {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let headers = request.metadata().as_ref();
        let cx = Context::map_current(|current| self.propagation.extract(headers, current));
        request.extensions_mut().insert(cx);
        Ok(request)
    }
}

// === impl InjectContext ===

impl InjectContext {
    /// Writes what `propagation` says.
    pub fn new(propagation: Propagation) -> Self {
        Self { propagation }
    }
}

impl Interceptor for InjectContext {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let headers = request.metadata_mut().as_mut();
        Context::map_current(|current| self.propagation.inject(current, headers));
        Ok(request)
    }
}

// === impl InContext ===

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = this.context.clone().attach();
        this.future.poll(task)
    }
}

#[cfg(test)]
mod tests;
