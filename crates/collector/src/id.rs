use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// A valid trace id: 16 bytes, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TraceId(NonZeroU128);

/// A valid span id: 8 bytes, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SpanId(NonZeroU64);

/// Text that is no trace id.
#[derive(Debug, thiserror::Error)]
#[error("a trace id is 1 to 32 hexadecimal digits, not all zero")]
pub(crate) struct NoTraceId;

// === impl TraceId ===

impl TraceId {
    /// The id in `bytes`, or nothing if they are not a valid one.
    pub(crate) fn from_wire(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; 16]>::try_from(bytes).ok()?;
        NonZeroU128::new(u128::from_be_bytes(bytes)).map(Self)
    }
}

impl FromStr for TraceId {
    type Err = NoTraceId;

    /// Leading zeros may be missing, as in the ids that Jaeger shows.
    fn from_str(text: &str) -> Result<Self, NoTraceId> {
        // `from_str_radix` alone would take a sign.
        if text.len() > 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoTraceId);
        }
        let id = u128::from_str_radix(text, 16).map_err(|_| NoTraceId)?;
        NonZeroU128::new(id).map(Self).ok_or(NoTraceId)
    }
}

// === impl SpanId ===

impl SpanId {
    /// The id in `bytes`, or nothing if they are not a valid one.
    pub(crate) fn from_wire(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; 8]>::try_from(bytes).ok()?;
        NonZeroU64::new(u64::from_be_bytes(bytes)).map(Self)
    }
}
