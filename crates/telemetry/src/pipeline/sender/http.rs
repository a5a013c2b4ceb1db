//! OTLP/HTTP, in protobuf and JSON.

use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prost::Message;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use time::PrimitiveDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use super::answer::{Answer, Rejected};
use super::failure::{Failure, Verdict};
use super::{CONNECT_TIMEOUT, KEEP_ALIVE, USER_AGENT, hints, json};
use crate::attributes::without_brackets;
use crate::error_chain::error_chain;
use crate::pipeline::otlp::{Otlp, Protocol};
use crate::pipeline::signal::Signal;
use crate::secret::Secret;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// The largest answer that is read: OTLP's recommendation.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// The only form of a date that is still to be written in HTTP (RFC 9110, "Date/Time Formats").
const HTTP_DATE: StaticFormatDescription =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// A collector's URL, and the connections to it.
#[derive(Clone)]
pub(super) struct Http {
    client: Client,
    url: Secret<Url>,
    headers: HeaderMap,
    signal: Signal,
    protocol: Protocol,
}

/// What a collector that takes nothing says of it (`google/rpc/status.proto`).
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct Reason {
    #[prost(string, tag = "2")]
    message: String,
}

// === impl Http ===

impl Http {
    /// # Errors
    /// When the settings do not make a client, with the reason.
    pub(super) fn new(otlp: &Otlp) -> Result<Self, String> {
        let client = client(otlp).map_err(|error| hints::with_tls(error_chain(&error.without_url())))?;
        let mut headers = otlp.headers.clone();
        let encoding = if otlp.protocol == Protocol::HttpJson { JSON } else { PROTOBUF };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(encoding));
        if otlp.is_gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(Self { client, url: otlp.url.clone(), headers, signal: otlp.signal, protocol: otlp.protocol })
    }

    /// The request as it is sent: in JSON or compressed, if it is to be.
    pub(super) fn prepared(&self, body: Bytes) -> Result<Bytes, Failure> {
        let unreadable = |reason| Failure::new(Verdict::BadRequest, "unreadable_request", reason);
        let body = match self.protocol {
            Protocol::HttpJson => json::of_protobuf(self.signal, &body).map_err(unreadable)?.into(),
            Protocol::HttpProtobuf | Protocol::Grpc => body,
        };
        Ok(if self.headers.contains_key(header::CONTENT_ENCODING) { gzip(&body).into() } else { body })
    }

    pub(super) async fn attempt(&self, body: Bytes) -> Result<Option<Rejected>, Failure> {
        let request = self.client.post(self.url.expose().clone()).headers(self.headers.clone()).body(body);
        let answer = request.send().await.map_err(lost)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = read(answer).await?;
        if status.is_success() { taken(&headers, &body) } else { Err(refusal(status, &headers, &body)) }
    }
}

fn client(otlp: &Otlp) -> reqwest::Result<Client> {
    let url = otlp.url.expose();
    let client = Client::builder()
        .user_agent(USER_AGENT)
        // Whatever features of reqwest others switch on: over HTTP/2, a port of OTLP/gRPC answers 200 and takes nothing.
        .http1_only()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEP_ALIVE);
    // The variables of proxies are meant for what is far away.
    let client = if is_loopback(url) { client.no_proxy() } else { client };
    otlp.tls.http(url, client)?.build()
}

fn is_loopback(url: &Url) -> bool {
    let host = without_brackets(url.host_str().unwrap_or_default());
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("memory takes all that is written to it")
}

/// An answer, or the beginning of one that is longer than [`MAX_ANSWER`].
async fn read(mut answer: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while body.len() <= MAX_ANSWER
        && let Some(chunk) = answer.chunk().await.map_err(lost)?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// There was no answer, or only the beginning of one.
fn lost(error: reqwest::Error) -> Failure {
    let (is_timeout, was_connected) = (error.is_timeout(), !error.is_connect());
    let text = error_chain(&error.without_url());
    let may_be_other_port = was_connected || hints::is_other_protocol(&text);
    Failure::lost(is_timeout, text, may_be_other_port, hints::NOT_HTTP)
}

/// What is left of a request that was taken. An answer that cannot be read comes from something that is no collector: then
/// its "OK" means nothing.
fn taken(headers: &HeaderMap, body: &[u8]) -> Result<Option<Rejected>, Failure> {
    let answer = match content_type(headers).as_str() {
        _ if body.is_empty() => Ok(Answer::default()),
        _ if body.len() > MAX_ANSWER => Err("it is too long".to_owned()),
        JSON => serde_json::from_slice(body).map_err(|error| error_chain(&error)),
        PROTOBUF | "" => Answer::decode(body).map_err(|error| error_chain(&error)),
        other => Err(format!("it is {other}")),
    };
    let unreadable = |reason| Failure::unreadable(format!("the answer is none of a collector: {reason}"));
    Ok(answer.map_err(|reason| unreadable(reason).hinted(hints::NOT_HTTP))?.rejected())
}

fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let reason = match content_type(headers).as_str() {
        JSON => serde_json::from_slice::<Reason>(body).unwrap_or_default().message,
        PROTOBUF => Reason::decode(body).unwrap_or_default().message,
        "text/plain" | "" => String::from_utf8_lossy(body).trim().to_owned(),
        _ => String::new(),
    };
    let is_plain_on_tls = status == StatusCode::BAD_REQUEST && reason.contains("HTTPS");
    let (verdict, hint) = match status.as_u16() {
        // No collector has said this, but what does the encryption for it.
        _ if is_plain_on_tls => (Verdict::Refused, hints::WANTS_TLS),
        429 | 503 => (Verdict::Transient, hints::OVERLOADED),
        502 | 504 => (Verdict::Transient, ""),
        413 => (Verdict::BadRequest, hints::TOO_LARGE),
        400 | 422 => (Verdict::BadRequest, ""),
        401 | 403 => (Verdict::Refused, hints::HEADERS),
        404 | 405 => (Verdict::Refused, hints::PATH),
        415 => (Verdict::Refused, hints::ENCODING),
        300..=399 => (Verdict::Refused, hints::REDIRECTED),
        _ => (Verdict::Refused, ""),
    };
    let text = if reason.is_empty() { status.to_string() } else { format!("{status}: {reason}") };
    let retry_after = retry_after(headers, SystemTime::now());
    Failure::new(verdict, status.as_str().to_owned(), text).after(retry_after).hinted(hint)
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// How long `Retry-After` wants the collector to be left alone: seconds, or until a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = SystemTime::from(PrimitiveDateTime::parse(text, HTTP_DATE).ok()?.assume_utc());
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let headers = [(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
        assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn proxies_are_for_what_is_far_away() {
        let is_loopback = |url| super::is_loopback(&Url::parse(url).unwrap());
        for near in
            ["http://localhost:4318", "http://LOCALHOST", "http://127.0.0.1", "http://127.9.9.9", "http://[::1]:1"]
        {
            assert!(is_loopback(near), "{near}");
        }
        for far in ["http://localhost.example", "http://10.0.0.1", "http://[::2]", "http://collector"] {
            assert!(!is_loopback(far), "{far}");
        }
    }

    #[test]
    fn a_collector_says_in_seconds_or_by_a_date_until_when_it_wants_to_be_left_alone() {
        check("120", Some(120));
        check("Sun, 06 Nov 1994 08:51:37 GMT", Some(120));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(0));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        for bad in ["", "soon", "-1", "1.5", "06 Nov 1994"] {
            check(bad, None);
        }
    }
}
