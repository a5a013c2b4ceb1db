use std::fmt;
use std::str::FromStr;

use opentelemetry::Context;
use opentelemetry::trace::{Link, SpanContext, TraceContextExt, TraceState};

/// Whose trace context a server continues.
///
/// A caller that is believed chooses the trace id and whether the call is recorded; an unknown caller could forge both
/// (W3C Trace Context, "Security Considerations").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustTrace {
    /// Every caller's: its trace goes on and its baggage is passed on.
    All,
    /// Nobody's: each call starts a trace of its own, with a link to the caller's context; baggage is dropped.
    #[default]
    None,
}

/// A text that is no [`TrustTrace`].
#[derive(Debug, thiserror::Error)]
#[error("must be `all` or `none`")]
pub struct UnknownTrust;

// === impl TrustTrace ===

impl FromStr for TrustTrace {
    type Err = UnknownTrust;

    fn from_str(text: &str) -> Result<Self, UnknownTrust> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => Err(UnknownTrust),
        }
    }
}

impl fmt::Display for TrustTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::None => "none",
        })
    }
}

/// How a caller who is not believed is still named: by a link, without his `tracestate`, which is a text of his own.
pub(crate) fn link_to(caller: &Context) -> Option<Link> {
    let context = caller.span().span_context().clone();
    let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
    context.is_valid().then(|| Link::with_context(SpanContext::new(trace, span, flags, true, TraceState::NONE)))
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

    use super::*;

    #[test]
    fn a_link_names_the_caller_without_what_he_wrote_himself() {
        let state = TraceState::from_key_value([("mail", "ada@example.com")]).unwrap();
        let context = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, true, state);
        let link = link_to(&Context::new().with_remote_span_context(context)).unwrap();
        assert_eq!((link.span_context.trace_id(), link.span_context.span_id()), (TraceId::from(1), SpanId::from(2)));
        assert_eq!(link.span_context.trace_state(), &TraceState::NONE);
        assert!(link_to(&Context::new()).is_none());
    }
}
