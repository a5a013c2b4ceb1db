//! `OTEL_EXPORTER_OTLP_HEADERS`.

use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::variables::Variables;

/// What the protocol itself says of a request.
const RESERVED: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TE,
    header::TRANSFER_ENCODING,
];

/// The headers to send along. Their values are secrets: they appear in no message.
pub(super) fn headers(variables: &Variables<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(pairs) = variables.environment.pairs(&variables.name("HEADERS")) else {
        variables.warn("HEADERS", "is not a list of key=value pairs, ignored");
        return headers;
    };
    for (name, value) in pairs {
        match header(&name, &value) {
            Some((name, value)) => drop(headers.insert(name, value)),
            None => variables.warn("HEADERS", "holds a pair that is no header to send along, left out"),
        }
    }
    headers
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_str(name).ok().filter(|name| !is_reserved(name))?;
    // Not every one that HTTP allows: gRPC allows nothing but ASCII.
    let mut value = HeaderValue::from_str(value).ok().filter(|value| value.to_str().is_ok())?;
    value.set_sensitive(true);
    Some((name, value))
}

fn is_reserved(name: &HeaderName) -> bool {
    RESERVED.contains(name) || name.as_str().starts_with("grpc-")
}
