use std::fmt;
use std::str::FromStr;

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
