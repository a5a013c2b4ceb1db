//! Encoded requests on their way to a collector.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::attributes::{bounded, without_brackets};
use crate::pipeline::otlp::{Otlp, Protocol};
use crate::pipeline::signal::Signal;

mod failure;
mod answer;
mod hints;
mod confidential;
mod grpc;
mod http;
mod json;

pub(crate) use answer::Rejected;
use confidential::Confidential;
pub(crate) use failure::{Failure, Verdict};
use grpc::Grpc;
use http::Http;

/// Who sends (OTLP exporter specification, "User Agent").
const USER_AGENT: &str = concat!(
    "throughline-telemetry/",
    env!("CARGO_PKG_VERSION"),
    " OTel-OTLP-Exporter-Rust/",
    env!("CARGO_PKG_VERSION")
);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon a connection is known to be dead: nothing else tells of a peer that has vanished.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The first pause before another attempt; each is twice as long as the one before, give or take a quarter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Sends the encoded requests of one signal. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sender {
    transport: Transport,
    target: Arc<Target>,
}

#[derive(Clone)]
enum Transport {
    Grpc(Grpc),
    Http(Http),
    /// The settings make none, for this reason.
    Unusable(Arc<str>),
}

/// What is sent, where to, and how long that may take.
#[derive(Clone, Debug)]
struct Target {
    signal: Signal,
    protocol: Protocol,
    host: String,
    port: u16,
    limit: Option<Duration>,
    confidential: Confidential,
    /// Whether a request was ever taken: then this is the right port.
    has_taken: Arc<AtomicBool>,
}

/// How long to wait between attempts, longer each time.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

// === impl Sender ===

impl Sender {
    /// Sends by these settings, over connections that live on `runtime`.
    pub(crate) fn new(otlp: &Otlp, runtime: &Handle) -> Self {
        let transport = match otlp.protocol {
            Protocol::Grpc => Grpc::new(otlp, runtime).map(Transport::Grpc),
            Protocol::HttpProtobuf | Protocol::HttpJson => Http::new(otlp).map(Transport::Http),
        };
        let transport = transport.unwrap_or_else(|reason| Transport::Unusable(reason.into()));
        Self { transport, target: Arc::new(Target::of(otlp)) }
    }

    /// The collector's host, `server.address`.
    pub(crate) fn address(&self) -> &str {
        // A URL has an IPv6 address in brackets.
        without_brackets(&self.target.host)
    }

    /// The collector's port, `server.port`.
    pub(crate) fn port(&self) -> u16 {
        self.target.port
    }

    /// `otel.component.type`, such as `otlp_grpc_span_exporter`.
    pub(crate) fn component_type(&self) -> String {
        let Target { signal, protocol, .. } = &*self.target;
        format!("otlp_{}_{}_exporter", protocol.component(), signal.component())
    }

    /// Sends one request once, within the limit of the settings.
    ///
    /// # Errors
    /// When it was not taken, or nobody knows whether it was.
    pub(crate) async fn attempt(&self, body: Bytes) -> Result<Option<Rejected>, Failure> {
        let body = self.prepared(body)?;
        self.attempt_until(body, self.deadline()).await
    }

    /// Sends one request until it is taken, refused for good, or out of time, by the rules of OTLP ("OTLP/gRPC
    /// Throttling", "OTLP/HTTP Throttling", "Failures"); without a limit, for ever.
    /// `failing` is told what keeps it from arriving at once.
    ///
    /// # Errors
    /// The last attempt's.
    pub(crate) async fn send(&self, body: Bytes, failing: impl Fn(&Failure)) -> Result<Option<Rejected>, Failure> {
        let body = self.prepared(body)?;
        let until = self.deadline();
        let mut backoff = Backoff::default();
        loop {
            let failure = match self.attempt_until(body.clone(), until).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wanted = backoff.pause(failure.retry_after);
            let is_too_late = until.is_some_and(|until| wanted >= until.saturating_duration_since(Instant::now()));
            if failure.verdict != Verdict::Transient || is_too_late {
                return Err(failure);
            }
            failing(&failure);
            sleep(wanted).await;
        }
    }

    /// The same, but one request takes at most `limit`, with all its attempts.
    pub(crate) fn within(mut self, limit: Option<Duration>) -> Self {
        let target = Arc::make_mut(&mut self.target);
        target.limit = target.limit.into_iter().chain(limit).min();
        self
    }

    /// `grpc`, `http/protobuf` or `http/json`.
    pub(crate) fn protocol(&self) -> &'static str {
        self.target.protocol.name()
    }

    /// When a request that begins now is out of time.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.target.limit?)
    }

    /// The request as all its attempts send it.
    fn prepared(&self, body: Bytes) -> Result<Bytes, Failure> {
        match &self.transport {
            Transport::Http(http) => http.prepared(body).map_err(|failure| self.target.tell(failure)),
            Transport::Grpc(_) | Transport::Unusable(_) => Ok(body),
        }
    }

    async fn attempt_until(&self, body: Bytes, until: Option<Instant>) -> Result<Option<Rejected>, Failure> {
        let attempt = async {
            match &self.transport {
                Transport::Grpc(grpc) => grpc.attempt(body).await,
                Transport::Http(http) => http.attempt(body).await,
                Transport::Unusable(reason) => Err(Failure::unusable(reason)),
            }
        };
        let result = match until {
            Some(until) => timeout_at(until, attempt).await.unwrap_or_else(|_| Err(Failure::timeout())),
            None => attempt.await,
        };
        match result {
            Ok(rejected) => Ok(self.target.taken(rejected)),
            Err(failure) => Err(self.target.tell(failure)),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("target", &self.target).finish_non_exhaustive()
    }
}

// === impl Target ===

impl Target {
    fn of(otlp: &Otlp) -> Self {
        let url = otlp.url.expose();
        Self {
            signal: otlp.signal,
            protocol: otlp.protocol,
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
            limit: otlp.limit,
            confidential: Confidential::of(url, &otlp.headers),
            has_taken: Arc::default(),
        }
    }

    /// The failure with where it has happened, and without what a collector may have repeated of our secrets.
    fn tell(&self, mut failure: Failure) -> Failure {
        // Cut only now: the first half of a secret would not be known as one.
        failure.text = format!("{}:{}: {}", self.host, self.port, bounded(&self.confidential.hide(&failure.text)));
        if failure.is_guess && self.has_taken.load(Ordering::Relaxed) { failure.hinted("") } else { failure }
    }

    fn taken(&self, rejected: Option<Rejected>) -> Option<Rejected> {
        self.has_taken.store(true, Ordering::Relaxed);
        let Rejected { items, message } = rejected?;
        Some(Rejected { items, message: bounded(&self.confidential.hide(&message)).into_owned() })
    }
}

// === impl Backoff ===

impl Backoff {
    /// How long to wait before the next attempt. Never less than ours, whatever the collector asks for: one that keeps
    /// wanting nothing at all is not to be asked without a pause.
    pub(crate) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let pause = jittered(self.0).max(asked.unwrap_or_default());
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        pause
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

/// Three quarters to five quarters of it, so that processes that were cut off together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let [chance, ..] = *uuid::Uuid::new_v4().as_bytes();
    pause.mul_f64(0.75 + f64::from(chance) / 510.0)
}

#[cfg(test)]
mod tests;
