//! Work that no call has asked for.

use std::any::type_name;
use std::error::Error;
use std::time::Duration;

use opentelemetry::trace::{Link, SpanBuilder, SpanKind, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use crate::clock::Started;
use crate::deadline::Deadline;
use crate::exception::record_exception;
use crate::handle::Telemetry;
use crate::messaging::MessageContext;
use crate::scope::Place;
use crate::semconv;

// === impl Telemetry ===

impl Telemetry {
    /// The context of the current span, to be kept with work that a [job](Self::job) may have to finish. Without baggage.
    pub fn message_context(&self) -> MessageContext {
        MessageContext::of(&Context::current(), self.propagation(), &[])
    }

    /// Does work that no call has asked for, such as finishing what a crash has left, as the root of a trace of its own: an
    /// INTERNAL span called `name`, linked to the spans that gave cause for it. Calls made for it have `limit` as their
    /// deadline.
    ///
    /// ```
    /// # async fn example(telemetry: &telemetry::Telemetry, placed: telemetry::MessageContext) -> std::io::Result<()> {
    /// # async fn finish() -> std::io::Result<()> { Ok(()) }
    /// # use std::time::Duration;
    /// telemetry.job("recover_order", [&placed], Duration::from_secs(10), finish()).await
    /// # }
    /// ```
    ///
    /// An error is told as [`record_exception`] tells it, and sets the span's status and `error.type`, the name of its type.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn job<'m, T, E>(
        &self,
        name: &'static str,
        causes: impl IntoIterator<Item = &'m MessageContext>,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E>
    where
        E: Error + 'static,
    {
        let started = Started::now();
        let origin = |cause: &MessageContext| cause.origin(self.propagation());
        let links = causes.into_iter().map(origin).filter(|origin| origin.is_valid()).map(Link::with_context).collect();
        let cx = self.start(self.base(), name, None, || {
            SpanBuilder::from_name(name).with_kind(SpanKind::Internal).with_links(links).with_start_time(started.time())
        });
        let place = Place::new(cx.clone(), Some(Deadline::after(limit)));
        let done = place.hold(async move { work.await.inspect_err(|error| record_exception(error)) }).await;
        let span = cx.span();
        if done.is_err() {
            span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, type_name::<E>()));
            // No description: an error's text may hold what is secret.
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(started.after(started.elapsed()));
        done
    }
}
