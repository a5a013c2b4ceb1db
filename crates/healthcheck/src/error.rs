//! Why a process is taken to be unwell.

use std::time::Duration;

use http::{StatusCode, Uri};
use hyper_util::client::legacy;

/// Why a check did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It answered, but with no 2xx.
    #[error("{url} answered {status}{told}")]
    Unwell {
        /// What was asked.
        url: String,
        /// What it answered.
        status: StatusCode,
        /// A colon and the first line of the answer's body, up to a control character; empty without one.
        told: String,
    },
    /// Nobody answered in time.
    #[error("{url} did not answer within {limit:?}")]
    Late {
        /// What was asked.
        url: String,
        /// How long it had.
        limit: Duration,
    },
    /// Nobody listens there, or nobody can be reached.
    #[error("cannot connect to {url}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why not.
        source: legacy::Error,
    },
    /// Whoever listens there speaks no HTTP/1, or hung up.
    #[error("{url} gave no answer that is HTTP/1")]
    Foreign {
        /// What was asked.
        url: String,
        /// What happened instead.
        source: legacy::Error,
    },
    /// The URL holds a user's name or password, so it is not told.
    #[error("the URL holds a user's name or password, which no check needs")]
    Credentials,
}

// === impl Error ===

impl Error {
    /// What it means that a request got no answer.
    pub(crate) fn silence(url: &Uri, source: legacy::Error) -> Self {
        let url = url.to_string();
        if source.is_connect() { Self::Unreachable { url, source } } else { Self::Foreign { url, source } }
    }
}
