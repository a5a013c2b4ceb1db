//! What to do about a failure, for people. A collector's port is mistaken for another more often than anything else.

use crate::pipeline::signal::Signal;

const NOBODY: &str = " (nothing listens there: OTEL_EXPORTER_OTLP_ENDPOINT names the collector)";
pub(super) const OVERLOADED: &str =
    " (is it full? it may get more than its memory or its queues hold, or what it hands on to may be away)";
pub(super) const HEADERS: &str = " (what it wants to know, such as a token, is sent by OTEL_EXPORTER_OTLP_HEADERS)";
pub(super) const TOO_LARGE: &str =
    " (it takes no requests of this size: fewer items per request, or its own limit raised)";
pub(super) const REDIRECTED: &str = " (redirects are not followed: the URL must be that of the collector itself)";
pub(super) const PATH: &str = " (is this the path? OTEL_EXPORTER_OTLP_ENDPOINT gets /v1/traces, /v1/logs or /v1/metrics \
     appended, a signal's own variable nothing)";
pub(super) const ENCODING: &str =
    " (it does not read this encoding: OTEL_EXPORTER_OTLP_PROTOCOL can be http/protobuf, http/json or grpc)";
pub(super) const NO_TRUST: &str =
    " (the certificates of those who vouch for the collector are named by OTEL_EXPORTER_OTLP_CERTIFICATE)";
pub(super) const NOT_GRPC: &str = " (is this an OTLP/gRPC port? its number is 4317 mostly; 4318 is for OTLP/HTTP, which \
     OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf speaks; and if the port wants TLS, its URL begins with https://)";
pub(super) const NOT_HTTP: &str = " (is this an OTLP/HTTP port? its number is 4318 mostly; 4317 is for OTLP/gRPC, which \
     OTEL_EXPORTER_OTLP_PROTOCOL=grpc speaks; and if the port wants TLS, its URL begins with https://)";
pub(super) const WANTS_TLS: &str = " (this port wants TLS: its URL begins with https://)";
const NO_TLS: &str = " (this port speaks no TLS: its URL begins with http://)";
const WHO_ARE_YOU: &str = " (it wants to see a certificate that it trusts: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and \
     OTEL_EXPORTER_OTLP_CLIENT_KEY)";

/// What TLS says, and what to do about it.
const TLS: [(&str, &str); 7] = [
    ("UnknownIssuer", NO_TRUST),
    ("native certs", NO_TRUST),
    ("No CA certificates", NO_TRUST),
    ("InvalidContentType", NO_TLS),
    ("CertificateRequired", WHO_ARE_YOU),
    ("UnknownCA", WHO_ARE_YOU),
    ("HandshakeFailure", WHO_ARE_YOU),
];

/// What to do about a connection that was not made.
pub(super) fn of_connection(reason: &str) -> Option<&'static str> {
    if reason.contains("Connection refused") { Some(NOBODY) } else { of_tls(reason) }
}

/// What TLS says where the two sides have no protocol in common.
const OTHER_PROTOCOL: [&str; 2] = ["HTTP/2 was not negotiated", "NoApplicationProtocol"];

/// What to do about a connection that TLS does not like.
fn of_tls(reason: &str) -> Option<&'static str> {
    TLS.iter().find(|(sign, _)| reason.contains(sign)).map(|(_, hint)| *hint)
}

/// The reason, with what to do about it as far as TLS knows.
pub(super) fn with_tls(reason: String) -> String {
    let hint = of_tls(&reason).unwrap_or_default();
    reason + hint
}

/// Whether the port is one of another protocol, as TLS says it.
pub(super) fn is_other_protocol(reason: &str) -> bool {
    OTHER_PROTOCOL.iter().any(|sign| reason.contains(sign))
}

/// What to do about a collector that has no place for a signal.
pub(super) fn of_unimplemented(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => " (it takes no spans here: OTEL_TRACES_EXPORTER=none keeps them back)",
        Signal::Logs => " (it takes no log records here: OTEL_LOGS_EXPORTER=none keeps them back)",
        Signal::Metrics => " (it takes no metrics here: OTEL_METRICS_EXPORTER=none keeps them back)",
    }
}
