use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::request::Parts;
use opentelemetry::trace::{Link, SpanContext, TraceState};

use crate::propagation::{Caller, Propagation};
use crate::rule::Rule;

/// Whose trace context a server continues.
///
/// A caller that is believed chooses the trace id and whether the call is recorded; an unknown caller could forge both
/// (W3C Trace Context, "Security Considerations").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustTrace {
    /// Every caller's: its trace goes on and its baggage is passed on.
    All,
    /// Nobody's: each call starts a trace of its own, with a link to the caller's context; baggage is dropped, but for the
    /// keys that the server lets in.
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

/// What a server lets in of its callers' contexts.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    trust: Trust,
    /// The keys of the baggage that is let in, whoever calls; `None` for all of those who are believed.
    baggage: Option<Arc<[String]>>,
}

#[derive(Clone, Debug)]
enum Trust {
    Fixed(TrustTrace),
    ByRequest(Rule<TrustTrace>),
}

// === impl Admission ===

impl Default for Admission {
    fn default() -> Self {
        Self { trust: Trust::Fixed(TrustTrace::default()), baggage: None }
    }
}

impl Admission {
    /// Believes the same of all.
    pub(crate) fn trust(self, trust: TrustTrace) -> Self {
        Self { trust: Trust::Fixed(trust), ..self }
    }

    /// Asks `rule` of each request; if that panics, the caller is not believed.
    pub(crate) fn trust_by(self, rule: impl Fn(&Parts) -> TrustTrace + Send + Sync + 'static) -> Self {
        Self { trust: Trust::ByRequest(Rule::new(rule)), ..self }
    }

    /// Lets in these keys of baggage only.
    pub(crate) fn baggage(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { baggage: Some(keys.into_iter().map(Into::into).collect()), ..self }
    }

    /// What is let in of a request's caller, and how one who is not believed is still named.
    pub(crate) fn admit(&self, propagation: Propagation, request: &Parts) -> (Caller, Option<Link>) {
        let caller = propagation.caller(&request.headers);
        let trust = match &self.trust {
            Trust::Fixed(trust) => *trust,
            Trust::ByRequest(rule) => rule.ask(request),
        };
        let link = if trust == TrustTrace::None { link_to(&caller.span()) } else { None };
        let is_listed = |key: &str| self.baggage.iter().flat_map(|keys| keys.iter()).any(|listed| listed == key);
        let caller = match (trust, &self.baggage) {
            (TrustTrace::All, None) => caller,
            (trust, _) => caller.admitted(trust == TrustTrace::All, is_listed),
        };
        (caller, link)
    }
}

/// How a caller who is not believed is still named: by a link, without his `tracestate`, which is a text of his own.
fn link_to(caller: &SpanContext) -> Option<Link> {
    let (trace, span, flags) = (caller.trace_id(), caller.span_id(), caller.trace_flags());
    caller.is_valid().then(|| Link::with_context(SpanContext::new(trace, span, flags, true, TraceState::NONE)))
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

    use super::*;

    #[test]
    fn a_link_names_the_caller_without_what_he_wrote_himself() {
        let state = TraceState::from_key_value([("mail", "ada@example.com")]).unwrap();
        let context = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, true, state);
        let link = link_to(&context).unwrap();
        assert_eq!((link.span_context.trace_id(), link.span_context.span_id()), (TraceId::from(1), SpanId::from(2)));
        assert_eq!(link.span_context.trace_state(), &TraceState::NONE);
        assert!(link_to(&SpanContext::NONE).is_none());
    }
}
