//! What a request asks for, as its span and its series tell it.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::uri::Authority;
use opentelemetry::trace::{SpanBuilder, SpanKind};
use opentelemetry::{KeyValue, StringValue};
use tonic::transport::server::TcpConnectInfo;

use super::HttpServerLayer;
use super::proxies::{self, Original};
use crate::attributes::{shortened, without_brackets};
use crate::http_client::{redacted_query, version};
use crate::{repeated, semconv};

/// What a request asks for. All that its series are told apart by is of few values, whatever a caller sends.
#[derive(Debug)]
pub(super) struct Asked<'r> {
    /// `_OTHER` for a method that is not known.
    pub(super) method: StringValue,
    /// `HTTP` for a method that is not known.
    method_name: &'r str,
    pub(super) route: Option<String>,
    pub(super) scheme: &'static str,
    pub(super) version: Option<&'static str>,
    original: Original<'r>,
}

// === impl Asked ===

impl<'r> Asked<'r> {
    pub(super) fn of(request: &'r Parts, layer: &HttpServerLayer) -> Self {
        let original = layer.proxies.map(|proxies| proxies.original(&request.headers)).unwrap_or_default();
        let methods = layer.telemetry.http_methods();
        let method = request.method.as_str();
        Self {
            method: methods.attribute(method),
            method_name: methods.name(method),
            route: layer.route.ask(request),
            scheme: original.scheme.or(request.uri.scheme_str().and_then(proxies::scheme)).unwrap_or(layer.scheme),
            version: version(request.version),
            original,
        }
    }

    /// The request's span.
    pub(super) fn span(&self, name: String, request: &Parts) -> SpanBuilder {
        let mut attributes = Vec::with_capacity(14);
        attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD, self.method.clone()));
        attributes.push(KeyValue::new(semconv::URL_SCHEME, self.scheme));
        attributes.push(KeyValue::new(semconv::URL_PATH, shortened(request.uri.path())));
        if self.method.as_str() == semconv::OTHER {
            let original = shortened(request.method.as_str());
            attributes.push(KeyValue::new(semconv::HTTP_REQUEST_METHOD_ORIGINAL, original));
        }
        if let Some(query) = request.uri.query() {
            attributes
                .push(KeyValue::new(semconv::URL_QUERY, shortened(redacted_query(query).as_deref().unwrap_or(query))));
        }
        if let Some(route) = &self.route {
            attributes.push(KeyValue::new(semconv::HTTP_ROUTE, route.clone()));
        }
        if let Some(version) = self.version {
            attributes.push(KeyValue::new(semconv::NETWORK_PROTOCOL_VERSION, version));
        }
        if let Some(agent) = request.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
            attributes.push(KeyValue::new(semconv::USER_AGENT_ORIGINAL, shortened(agent)));
        }
        self.push_server(request, &mut attributes);
        self.push_client(request, &mut attributes);
        SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes)
    }

    /// The name of the request's span.
    pub(super) fn name(&self) -> String {
        match &self.route {
            Some(route) => format!("{} {route}", self.method_name),
            None => self.method_name.to_owned(),
        }
    }

    /// The server as the caller calls it.
    fn push_server(&self, request: &Parts, attributes: &mut Vec<KeyValue>) {
        let parsed = |text: &str| Authority::try_from(text).ok();
        let forwarded = self.original.host.and_then(parsed);
        let host = || request.headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(parsed);
        let Some(authority) = forwarded.or_else(|| request.uri.authority().cloned()).or_else(host) else { return };
        let address = without_brackets(authority.host());
        attributes.push(KeyValue::new(semconv::SERVER_ADDRESS, repeated::name(address)));
        attributes.extend(authority.port_u16().map(|port| KeyValue::new(semconv::SERVER_PORT, i64::from(port))));
    }

    /// Who calls: the connection's peer, and whom that peer calls for.
    fn push_client(&self, request: &Parts, attributes: &mut Vec<KeyValue>) {
        let axum = || request.extensions.get().map(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| *peer);
        let tonic = || request.extensions.get().and_then(TcpConnectInfo::remote_addr);
        let peer = axum().or_else(tonic);
        if let Some(peer) = peer {
            attributes.push(KeyValue::new(semconv::NETWORK_PEER_ADDRESS, repeated::address(peer.ip())));
            attributes.push(KeyValue::new(semconv::NETWORK_PEER_PORT, i64::from(peer.port())));
        }
        if let Some(client) = self.original.client.or(peer.map(|peer| peer.ip())) {
            attributes.push(KeyValue::new(semconv::CLIENT_ADDRESS, repeated::address(client)));
        }
    }
}
