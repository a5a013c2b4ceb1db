mod expansion;
pub(crate) use expansion::{LOGS, METRICS, Shape, TRACES};

mod lenient;

mod metrics;
pub(crate) use metrics::MetricsRequest;

use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};
use prost::Message;
use serde::de::DeserializeOwned;

use crate::error::Refusal;
use crate::signal::Signal;

/// How large an export request may be, as sent and once inflated: OTLP's recommendation.
pub(crate) const MAX_BODY: usize = 64 * 1024 * 1024;

/// Up to this size a body is decoded whatever it may grow to. It is the size of a gRPC message that tonic, and the
/// OpenTelemetry Collector, accept.
const MAX_UNWEIGHED: usize = 4 * 1024 * 1024;

/// How long a sender may take for the whole of a body.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// How an OTLP/HTTP body is written. The answer is written as the request was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

/// The body of a request, inflated.
///
/// # Errors
/// When it is larger than [`MAX_BODY`], does not come in time, or is compressed in any other way than gzip.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let gzip = is_gzip(headers)?;
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(Refusal::TooLarge);
    }
    let body = match tokio::time::timeout(READ_LIMIT, to_bytes(body, MAX_BODY)).await {
        Ok(read) => read.map_err(Refusal::unread)?,
        Err(_elapsed) => return Err(Refusal::TooSlow),
    };
    if gzip { inflate(&body).map(Bytes::from) } else { Ok(body) }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(encoding) if encoding.eq_ignore_ascii_case(b"identity") => Ok(false),
        Some(encoding) if encoding.eq_ignore_ascii_case(b"gzip") => Ok(true),
        Some(_) => Err(Refusal::ContentEncoding),
    }
}

/// Inflates twice: first into nothing, to learn the size. So a bomb costs a moment but no memory, and an honest
/// body one allocation of the right size.
fn inflate(compressed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut bounded = MultiGzDecoder::new(compressed).take(MAX_BODY as u64 + 1);
    let size = io::copy(&mut bounded, &mut io::sink()).map_err(Refusal::malformed)?;
    if size > MAX_BODY as u64 {
        return Err(Refusal::TooLarge);
    }
    let mut inflated = vec![0; size as usize];
    MultiGzDecoder::new(compressed).read_exact(&mut inflated).map_err(Refusal::malformed)?;
    Ok(inflated)
}

// === impl Encoding ===

impl Encoding {
    /// The encoding that the content type names.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Protobuf, Self::Json]
            .into_iter()
            .find(|encoding| essence.eq_ignore_ascii_case(encoding.content_type()))
            .ok_or(Refusal::ContentType)
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// The export request that `body` is.
    ///
    /// # Errors
    /// When it is not one, or is made to take far more memory than it has bytes.
    pub(crate) fn decode<S: Signal>(self, body: &[u8]) -> Result<S::Request, Refusal> {
        let bounded = body.len() <= MAX_UNWEIGHED
            || match self {
                Self::Protobuf => expansion::is_bounded_protobuf(S::SHAPE, body),
                Self::Json => expansion::is_bounded_json(body),
            };
        match self {
            _ if !bounded => Err(Refusal::Expands),
            Self::Protobuf => S::Request::decode(body).map_err(Refusal::malformed),
            Self::Json => decode_json::<S::Json>(body).map(Into::into),
        }
    }
}

fn decode_json<M: DeserializeOwned>(body: &[u8]) -> Result<M, Refusal> {
    // The generated messages could be read from arrays as well.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::malformed("not a JSON object"));
    }
    // In the fields that it skips, serde_json would take any bytes for a text.
    let text = str::from_utf8(body).map_err(Refusal::malformed)?;
    serde_json::from_str(text).or_else(|strict| {
        // A tree of values takes far more memory than its text.
        if body.len() > MAX_UNWEIGHED {
            return Err(Refusal::malformed(strict));
        }
        // Both may have found the same fault, and then the first knows the place of it.
        lenient::from_str(text).map_err(|lenient: serde_json::Error| {
            let same = strict.to_string().starts_with(&lenient.to_string());
            Refusal::malformed(if same { strict } else { lenient })
        })
    })
}
