//! HTTP requests as CLIENT spans and durations, with reqwest.

mod asked;
mod body;
mod exchange;
mod metrics;
mod url;

use std::sync::Arc;

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::context::FutureExt;
use reqwest::{Client, Request, Response};

use crate::capture::Captured;
use crate::handle::Telemetry;
use crate::propagation::inject_traceparent;
use crate::semconv;
use exchange::Exchange;

pub(crate) use exchange::version;
use metrics::RequestMeter;
pub(crate) use url::redacted_query;

/// A [`reqwest::Client`] whose requests are CLIENT spans; made by [`Telemetry::http_client`], cheap to clone.
///
/// ```no_run
/// # async fn example(telemetry: telemetry::Telemetry) -> Result<(), reqwest::Error> {
/// let bank = telemetry.http_client(reqwest::Client::new());
/// let request = bank.get_ref().get("https://bank.example/v1/payments/7").build()?;
/// let call = telemetry::HttpCall { url_template: "/v1/payments/{id}", resend_count: 0 };
/// let answer = bank.execute(request, call).await?.text().await?;
/// # Ok(()) }
/// ```
///
/// A span is named `GET /v1/payments/{id}` and carries `http.request.method`, `server.address`, `server.port`, `url.full`
/// without credentials and signatures, `url.template`, `http.request.resend_count` of a retry,
/// `http.response.status_code`, `network.protocol.version`, `network.peer.address`, `network.peer.port` and on failure
/// `error.type` (<https://github.com/open-telemetry/semantic-conventions/blob/main/docs/http/http-spans.md>).
///
/// Every request counts in `http.client.request.duration`, also one whose span is not sampled: from its first byte to the
/// last of the answer's body, for as long as the span, with `http.request.method`, `server.address`, `server.port`,
/// `http.response.status_code`, `network.protocol.version` and, where the span has one, the same `error.type`.
/// `http.client.active_requests` says how many are in flight, by `url.template` too
/// (<https://github.com/open-telemetry/semantic-conventions/blob/main/docs/http/http-metrics.md>).
///
/// It sends no trace header unless [`propagate`](Self::propagate) says so: HTTP is how other companies are called. To
/// services of one's own it sends [all of the context](Propagate::All).
#[derive(Clone, Debug)]
pub struct HttpClient {
    telemetry: Telemetry,
    meter: Option<Arc<RequestMeter>>,
    client: Client,
    propagate: Propagate,
    request_headers: Captured,
    response_headers: Captured,
}

/// What a span should say of a request that the request itself does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// The path with the names of its variable parts instead of their values: `/v1/payments/{id}`. It is part of the
    /// span's name, so it must take few values; empty leaves it out.
    pub url_template: &'static str,
    /// How many times this request has been sent before: 0 for the first attempt, 1 for the first retry.
    pub resend_count: u32,
}

/// Which trace headers a request carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagate {
    /// None, not even those the request was built with.
    #[default]
    Nothing,
    /// `traceparent`, so that the peer may continue the trace. Never `tracestate` or `baggage`, which are nobody's
    /// business outside.
    TraceParent,
    /// `traceparent`, `tracestate` and `baggage`, as calls to services of one's own carry them: all that the service
    /// itself was sent and added, so never to another company. `OTEL_PROPAGATORS` decides which of them; those that it
    /// leaves out stay as the request was built.
    All,
}

// === impl HttpClient ===

impl HttpClient {
    pub(crate) fn new(telemetry: Telemetry, client: Client) -> Self {
        let meter = telemetry.meter().map(|meter| Arc::new(RequestMeter::new(meter)));
        let (request_headers, response_headers) = (Captured::default(), Captured::default());
        Self { telemetry, meter, client, propagate: Propagate::default(), request_headers, response_headers }
    }

    /// Chooses which trace headers its requests carry.
    pub fn propagate(self, propagate: Propagate) -> Self {
        Self { propagate, ..self }
    }

    /// Shows these headers of a request, where it has them, as `http.request.header.<name>`: see
    /// [`RpcServerLayer::capture_request_headers`](crate::RpcServerLayer::capture_request_headers).
    ///
    /// # Panics
    /// If one of the names is none that a header can have.
    pub fn capture_request_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { request_headers: self.request_headers.and(semconv::HTTP_REQUEST_HEADER, names), ..self }
    }

    /// Shows these headers of an answer, where it has them, as `http.response.header.<name>`: see
    /// [`capture_request_headers`](Self::capture_request_headers).
    ///
    /// # Panics
    /// As there.
    pub fn capture_response_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { response_headers: self.response_headers.and(semconv::HTTP_RESPONSE_HEADER, names), ..self }
    }

    /// The client underneath, to build requests with.
    pub fn get_ref(&self) -> &Client {
        &self.client
    }

    /// Sends a request. Its span is a child of the current one and ends with the answer's body: once that is read to
    /// its end, fails, or is dropped.
    ///
    /// The span's status is Error for an answer of 400 and above, `error.type` then being the code, and for an error,
    /// `error.type` then being `timeout`, `connect`, `body`, `request` or `_OTHER`. Redirects that the client follows are
    /// part of the span.
    ///
    /// Dropping the future before there is an answer gives `error.type` `timeout` and status Error if the deadline of
    /// the call being served had passed. Otherwise the caller wanted it so, which is no failure: `error.type` is
    /// `cancelled` to say why there is no status code, and the span's status is left unset. An answer whose body is
    /// dropped half-read is judged by its code alone.
    ///
    /// # Errors
    /// As [`reqwest::Client::execute`]: an answer of any code is no error.
    pub async fn execute(&self, mut request: Request, call: HttpCall) -> Result<Response, reqwest::Error> {
        let mut exchange = Exchange::start(self, &request, call);
        self.carry(exchange.context(), request.headers_mut());

        let sent = self.client.execute(request).with_context(exchange.context().clone()).await;
        match sent {
            Ok(response) => {
                exchange.answered(&response);
                Ok(body::observe(response, exchange))
            }
            Err(error) => {
                exchange.finish(Some(&error));
                Err(error)
            }
        }
    }

    /// Writes what is chosen of the context, in place of what the request was built with.
    fn carry(&self, cx: &Context, headers: &mut HeaderMap) {
        match self.propagate {
            Propagate::Nothing => inject_traceparent(&Context::new(), headers),
            Propagate::TraceParent => inject_traceparent(cx, headers),
            Propagate::All => self.telemetry.propagation().inject(cx, headers),
        }
    }
}

#[cfg(test)]
mod tests;
