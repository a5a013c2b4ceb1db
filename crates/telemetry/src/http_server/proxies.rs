//! What one's own proxies say of a request that the connection no longer tells.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Which headers one's own proxies write; the others are whatever a caller sent, passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeaders {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`.
    XForwarded,
}

/// How many proxies there are, and how they speak.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proxies {
    pub(super) count: usize,
    pub(super) headers: ProxyHeaders,
}

/// A request as it came to the outermost proxy.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Original<'h> {
    pub(super) client: Option<IpAddr>,
    pub(super) host: Option<&'h str>,
    pub(super) scheme: Option<&'static str>,
}

// === impl Proxies ===

impl Proxies {
    pub(super) fn original<'h>(&self, headers: &'h HeaderMap) -> Original<'h> {
        match self.headers {
            ProxyHeaders::XForwarded => Original {
                client: self.said(headers, &X_FORWARDED_FOR).and_then(address),
                host: self.said(headers, &X_FORWARDED_HOST),
                scheme: self.said(headers, &X_FORWARDED_PROTO).and_then(scheme),
            },
            ProxyHeaders::Forwarded => {
                let element = self.said(headers, &FORWARDED).unwrap_or_default();
                let find = |wanted: &str| {
                    let mut pairs = split(element, b';').filter_map(|pair| pair.split_once('='));
                    pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| unquoted(value))
                };
                Original {
                    client: find("for").and_then(address),
                    host: find("host"),
                    scheme: find("proto").and_then(scheme),
                }
            }
        }
    }

    /// What the outermost proxy added to a list: each adds one element at the end, so what stands before it came from
    /// outside.
    fn said<'h>(&self, headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
        let lines = headers.get_all(name).iter().filter_map(|line: &HeaderValue| line.to_str().ok());
        let elements: Vec<_> = lines.flat_map(|line| split(line, b',')).collect();
        elements.len().checked_sub(self.count.clamp(1, elements.len().max(1))).map(|at| elements[at])
    }
}

/// The parts between separators that stand in no quoted string, without the white space around them.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = text.split(move |c: char| {
        is_quoted ^= c == '"';
        !is_quoted && c == char::from(separator)
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn unquoted(value: &str) -> &str {
    value.trim().trim_matches('"')
}

/// `192.0.2.43`, `192.0.2.43:80`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:80`; what hides its address has none.
fn address(node: &str) -> Option<IpAddr> {
    let with_port = || node.parse().ok().map(|socket: SocketAddr| socket.ip());
    node.trim_matches(['[', ']']).parse().ok().or_else(with_port)
}

/// Only the two that there are: the text is from outside.
pub(super) fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|known| known.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(count: usize, headers: ProxyHeaders, lines: &'static [(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        let Original { client, host, scheme } = Proxies { count, headers }.original(&map);
        let client = client.map(|client| client.to_string());
        format!("{} {} {}", client.as_deref().unwrap_or("-"), host.unwrap_or("-"), scheme.unwrap_or("-"))
    }

    #[test]
    fn forwarded_is_read_from_the_right() {
        use ProxyHeaders::Forwarded;
        let lines = &[
            (
                "forwarded",
                "for=6.6.6.6;host=evil.example, For=\"[2001:db8::1]:4711\"; Host=\"shop.example:444\";proto=HTTPS",
            ),
            ("forwarded", "for=10.0.0.1;by=\"_a,b\""),
        ];
        assert_eq!(original(1, Forwarded, lines), "10.0.0.1 - -");
        assert_eq!(original(2, Forwarded, lines), "2001:db8::1 shop.example:444 https");
        assert_eq!(original(9, Forwarded, lines), "6.6.6.6 evil.example -");
        assert_eq!(original(1, Forwarded, &[("forwarded", "for=unknown;proto=gopher")]), "- - -");
        assert_eq!(original(1, Forwarded, &[("x-forwarded-for", "6.6.6.6")]), "- - -");
        assert_eq!(original(1, Forwarded, &[]), "- - -");
    }

    #[test]
    fn x_forwarded_is_read_from_the_right() {
        use ProxyHeaders::XForwarded;
        let lines = &[
            ("x-forwarded-for", "6.6.6.6, 192.0.2.4:99"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=6.6.6.6"),
        ];
        assert_eq!(original(1, XForwarded, lines), "10.0.0.1 shop.example https");
        assert_eq!(original(2, XForwarded, lines), "192.0.2.4 shop.example https");
    }
}
