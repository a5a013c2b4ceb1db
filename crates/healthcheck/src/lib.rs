//! The `healthcheck` subcommand of every program here: one GET, told by the exit code.
//!
//! An image that holds nothing but a program has no shell and no `curl` to ask whether that program is well, so the
//! program asks itself:
//!
//! ```
//! use clap::Parser;
//! use healthcheck::Command;
//!
//! #[derive(Parser)]
//! struct Arguments {
//!     #[command(subcommand)]
//!     command: Option<Command>,
//! }
//!
//! # async fn example() -> Result<(), healthcheck::Error> {
//! let arguments = Arguments::parse_from(["order", "healthcheck"]);
//! if let Some(Command::Healthcheck(check)) = arguments.command {
//!     let admin = "0.0.0.0:51051".parse().expect("an address");
//!     return check.run(admin, "/readyz").await; // asks http://127.0.0.1:51051/readyz
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It speaks plain HTTP/1 only, follows no redirect and uses no proxy. Nothing here is traced or logged: a check every
//! few seconds would bury the traces of those who use the service.
#![forbid(unsafe_code)]

mod error;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Response, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

pub use crate::error::Error;

/// How long an answer may take: whoever asks every few seconds should learn of a process that hangs, too.
const LIMIT: Duration = Duration::from_secs(3);

/// How much of a refusal's body is read, in bytes.
const MOST_READ: usize = 4096;

/// How much of a refusal's first line is told, in characters.
const MOST_TOLD: usize = 300;

// What a program can do instead of serving. No doc comment: clap would take it for the program's own description.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Asks the running process whether it is well.
    ///
    /// Exits with 0 when a GET is answered with a 2xx within 3 s; otherwise with 1, and stderr says what happened.
    Healthcheck(Healthcheck),
}

/// The arguments of `healthcheck`.
#[derive(Args, Clone, Debug)]
pub struct Healthcheck {
    /// What to ask [default: this process's own, by the address in its settings]
    #[arg(long, value_name = "URL", value_parser = url)]
    pub url: Option<Uri>,
}

// === impl Healthcheck ===

impl Healthcheck {
    /// Asks the URL that was given, or else for `path` at the address where the process itself listens.
    ///
    /// # Errors
    /// As [`get`].
    pub async fn run(self, listen: SocketAddr, path: &str) -> Result<(), Error> {
        let url = match self.url {
            Some(url) => url,
            None => own(listen, path),
        };
        get(&url).await
    }
}

/// A process that listens on every address can be reached on loopback.
fn own(mut listen: SocketAddr, path: &str) -> Uri {
    if listen.ip().is_unspecified() {
        listen.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let url = format!("http://{listen}{path}");
    url.parse().expect("an address and a path that starts with a slash make a URL")
}

/// Asks `url` with one GET and wants a 2xx within three seconds.
///
/// # Errors
/// When another status is answered, or nothing. Each error names `url` and what happened.
pub async fn get(url: &Uri) -> Result<(), Error> {
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Error::Credentials);
    }
    let asked = timeout(LIMIT, ask(url)).await;
    asked.unwrap_or_else(|_| Err(Error::Late { url: url.to_string(), limit: LIMIT }))
}

async fn ask(url: &Uri) -> Result<(), Error> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url.clone()).await.map_err(|source| Error::silence(url, source))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(Error::Unwell { url: url.to_string(), status, told: told(answer).await })
}

/// The first line of an answer's body up to its first control character, led by a colon; nothing if that is empty. What
/// follows an escape would be the rest of its sequence.
async fn told<B>(answer: Response<B>) -> String
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    // A body that breaks off or is too long has still its status to tell.
    let Ok(body) = Limited::new(answer.into_body(), MOST_READ).collect().await else { return String::new() };
    let body = body.to_bytes();
    let text = String::from_utf8_lossy(&body);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().take_while(|letter| !letter.is_control()).take(MOST_TOLD).collect();
    let line = line.trim_end();
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

/// A URL that can be asked: `http://HOST`, perhaps with a port, a path and a query.
///
/// # Errors
/// When `text` is something else.
pub fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{error}, expected http://HOST:PORT/PATH"))?;
    let known = url.scheme_str() == Some("http") && url.host().is_some_and(|host| !host.is_empty());
    if known { Ok(url) } else { Err("expected http://HOST:PORT/PATH, without TLS".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, expected: &str) {
        assert_eq!(own(listen.parse().unwrap(), "/readyz"), expected);
    }

    #[test]
    fn a_process_that_listens_everywhere_is_asked_on_loopback() {
        check("0.0.0.0:51050", "http://127.0.0.1:51050/readyz");
        check("[::]:51050", "http://127.0.0.1:51050/readyz");
        check("127.0.0.2:1", "http://127.0.0.2:1/readyz");
        check("[::1]:1", "http://[::1]:1/readyz");
    }

    #[test]
    fn only_what_can_be_asked_is_a_url() {
        assert_eq!(url("http://otelcol:13133").unwrap(), "http://otelcol:13133/");
        assert_eq!(url("http://jaeger/status?full").unwrap(), "http://jaeger/status?full");
        for bad in ["", "otelcol:13133", "/readyz", "https://otelcol", "ftp://otelcol", "http://", "http://a b"] {
            assert!(url(bad).is_err(), "{bad:?}");
        }
    }
}
