use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::hints;

/// Why a collector has not taken a request. Its `Display` is for people: where it was to go, what went wrong, and what
/// to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    /// How long the collector wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    error_type: Cow<'static, str>,
    pub(super) text: String,
    /// What to do about it.
    hint: &'static str,
    /// Whether the hint is no more than likely.
    pub(super) is_guess: bool,
}

/// What is to become of a request that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The collector cannot be reached, or has too much to do: the same request may be sent again after a pause.
    Transient,
    /// The collector has no room and does not say until when, which is no fault of the request's: as a refusal otherwise.
    Full,
    /// Something is wrong with the request itself. It must never be sent again.
    BadRequest,
    /// A collector that refuses everything, for a reason that somebody may put right: sending the same request again makes
    /// sense once another one was taken.
    Refused,
}

// === impl Failure ===

impl Failure {
    pub(super) fn new(verdict: Verdict, error_type: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { verdict, retry_after: None, error_type: error_type.into(), text: text.into(), hint: "", is_guess: false }
    }

    /// There was no answer, nor will there be. If nothing else explains it, and the port may be another's, it is guessed
    /// to be `other_port`.
    pub(super) fn lost(is_timeout: bool, text: String, may_be_other_port: bool, other_port: &'static str) -> Self {
        let hint = hints::of_connection(&text);
        let failure = Self::new(Verdict::Transient, if is_timeout { "timeout" } else { "connection" }, text);
        match hint {
            Some(hint) => failure.hinted(hint),
            None if may_be_other_port => failure.guessed(other_port),
            None => failure,
        }
    }

    /// There was no answer in time.
    pub(super) fn timeout() -> Self {
        Self::new(Verdict::Transient, "timeout", "the collector has not answered in time")
    }

    /// Nothing can be sent with these settings.
    pub(super) fn unusable(reason: &str) -> Self {
        Self::new(Verdict::Refused, "settings", reason)
    }

    /// The answer says neither yes nor no.
    pub(super) fn unreadable(text: impl Into<String>) -> Self {
        Self::new(Verdict::Refused, "unreadable_answer", text)
    }

    /// It could not be printed.
    pub(in crate::pipeline) fn stdout(error: &std::io::Error) -> Self {
        Self::new(Verdict::Refused, "stdout", format!("stdout: {error}"))
    }

    pub(super) fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    pub(super) fn hinted(self, hint: &'static str) -> Self {
        Self { hint, is_guess: false, ..self }
    }

    pub(super) fn guessed(self, hint: &'static str) -> Self {
        Self { hint, is_guess: true, ..self }
    }

    /// `error.type`: the gRPC code, such as `UNAVAILABLE`, the HTTP status, such as `503`, or `timeout`, `connection`,
    /// `unreadable_answer`, `settings`, `unreadable_request`, `stdout`.
    pub(crate) fn error_type(&self) -> &str {
        &self.error_type
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, self.hint)
    }
}
