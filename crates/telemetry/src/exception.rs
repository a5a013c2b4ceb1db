use std::any::{Any, type_name};
use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};

use crate::attributes::fitting;
use crate::bridge::EXCEPTION_TARGET;
use crate::error_chain::error_chain;
use crate::lock::lock;
use crate::{scope, semconv};

/// Tells of an error that ends here: as one log record at ERROR and one event of the current span, with
/// `exception.type`, the name of its type, and `exception.message`, the error and its sources on one line (semantic
/// conventions 1.45, `docs/exceptions/exceptions-logs.md` and `exceptions-spans.md`).
///
/// ```
/// # fn example(saved: std::io::Result<()>, sent: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
/// if let Err(error) = saved {
///     telemetry::record_exception(&error);
/// }
/// // A boxed error has forgotten its type: it is told without.
/// if let Err(error) = sent {
///     telemetry::record_exception(&*error);
/// }
/// # }
/// ```
///
/// An error is told once in a call, however many layers it passes: neither the error itself again, nor one of its
/// sources, nor an error that it is a source of. [`RpcServerLayer`](crate::RpcServerLayer) tells of the source of a status
/// that its conventions call an error, and [`MessageOperation::run`](crate::MessageOperation::run) of an error in
/// processing, unless the handler has told of it. Errors are the same here if they say the same, so of two failed attempts
/// in one call with the same chain the first is told.
///
/// `OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN=logs` leaves the log record only; `logs/dup` is both, as is the default.
///
/// The message leaves the process: an error must not say what is secret. A [`Secret`](crate::Secret) in it stays one.
pub fn record_exception<'e>(exception: impl Into<Exception<'e>>) {
    let Exception { error, kind } = exception.into();
    if is_news(error) {
        record(&Context::current(), kind, &error_chain(error));
    }
}

/// An error with the name of its type, where that is known; made from a reference to any error.
#[derive(Clone, Copy, Debug)]
pub struct Exception<'e> {
    error: &'e (dyn Error + 'static),
    kind: Option<&'static str>,
}

/// The errors told in a call. Nothing is allocated for a call that tells none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Option<Arc<Mutex<Vec<Chain>>>>);

/// What an error says and what each of its sources says, as hashes.
type Chain = Vec<u64>;

/// Tells of a panic in the current context.
pub(crate) fn record_panic(payload: &(dyn Any + Send)) {
    record(&Context::current(), Some("panic"), panic_text(payload));
}

fn record(cx: &Context, kind: Option<&'static str>, message: &str) {
    tracing::error!(
        name: "exception",
        target: EXCEPTION_TARGET,
        { "exception.type" = kind, "exception.message" = message },
        "{message}"
    );
    add_event(cx, kind, message);
}

/// What a panic said, as far as it fits an attribute.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    text.map_or("of a value that is no text", fitting)
}

/// Adds the `exception` event to the span of `cx`. Its log record is made where its name is known, with the target that
/// keeps the event bridge from adding a second event.
pub(crate) fn add_event(cx: &Context, kind: Option<&'static str>, message: &str) {
    let message = KeyValue::new(semconv::EXCEPTION_MESSAGE, message.to_owned());
    let kind = kind.map(|kind| KeyValue::new(semconv::EXCEPTION_TYPE, kind));
    cx.span().add_event(semconv::EXCEPTION_EVENT, [message].into_iter().chain(kind).collect());
}

/// Whether nothing of the error has been told in the current call. From now on it has.
pub(crate) fn is_news(error: &(dyn Error + 'static)) -> bool {
    let chain = chain(error);
    scope::with_told(|told| told.add(chain)).unwrap_or(true)
}

// === impl Exception ===

impl<'e, E: Error + 'static> From<&'e E> for Exception<'e> {
    fn from(error: &'e E) -> Self {
        Self { error, kind: Some(type_name::<E>()) }
    }
}

impl<'e> From<&'e (dyn Error + 'static)> for Exception<'e> {
    fn from(error: &'e (dyn Error + 'static)) -> Self {
        Self { error, kind: None }
    }
}

impl<'e> From<&'e (dyn Error + Send + 'static)> for Exception<'e> {
    fn from(error: &'e (dyn Error + Send + 'static)) -> Self {
        Self { error, kind: None }
    }
}

impl<'e> From<&'e (dyn Error + Send + Sync + 'static)> for Exception<'e> {
    fn from(error: &'e (dyn Error + Send + Sync + 'static)) -> Self {
        Self { error, kind: None }
    }
}

// === impl Told ===

impl Told {
    /// The same list, for other work of the same call.
    pub(crate) fn shared(&mut self) -> Self {
        Self(Some(Arc::clone(self.list())))
    }

    fn add(&mut self, chain: Chain) -> bool {
        let mut told = lock(self.list());
        let is_part = |before: &Chain| before.contains(&chain[0]) || chain.contains(&before[0]);
        let is_news = !told.iter().any(is_part);
        if is_news {
            told.push(chain);
        }
        is_news
    }

    fn list(&mut self) -> &Arc<Mutex<Vec<Chain>>> {
        self.0.get_or_insert_default()
    }
}

fn chain(error: &(dyn Error + 'static)) -> Chain {
    let said = |error: &(dyn Error + 'static)| {
        let mut hasher = DefaultHasher::new();
        error_chain(error).hash(&mut hasher);
        hasher.finish()
    };
    std::iter::successors(Some(error), |&error| error.source()).map(said).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Failed(&'static str, #[source] io::Error);

    fn refused() -> io::Error {
        io::Error::other("refused")
    }

    #[test]
    fn an_error_is_told_once_with_what_it_wraps_and_what_wraps_it() {
        let mut outside_in = Told::default();
        assert!(outside_in.add(chain(&Failed("no payment", refused()))));
        assert!(!outside_in.add(chain(&refused())));
        assert!(!outside_in.shared().add(chain(&Failed("no payment", refused()))));

        let mut inside_out = Told::default();
        assert!(inside_out.add(chain(&refused())));
        assert!(!inside_out.add(chain(&Failed("no payment", refused()))));
    }

    #[test]
    fn errors_of_the_same_source_are_two() {
        let mut told = Told::default();
        assert!(told.add(chain(&Failed("no payment", refused()))));
        assert!(told.add(chain(&Failed("no stock", refused()))));
    }

    #[test]
    fn an_error_has_a_type_until_it_is_boxed() {
        assert_eq!(Exception::from(&refused()).kind, Some("std::io::error::Error"));
        let boxed: Box<dyn Error + Send + Sync> = refused().into();
        assert_eq!(Exception::from(&*boxed).kind, None);
    }
}
