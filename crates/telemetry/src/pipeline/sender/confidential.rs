use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::secret::HIDDEN;

/// What is shorter is part of too many words, and too easily guessed to be a secret.
const SHORTEST: usize = 4;

/// What goes along with each request and is nobody's business: a collector may repeat it when it complains.
#[derive(Clone, Default)]
pub(super) struct Confidential(Vec<String>);

// === impl Confidential ===

impl Confidential {
    /// The values of the headers, and what stands behind a scheme such as `Bearer` in them; the URL's login, also as HTTP
    /// sends it, and what its query says. The longest first: a shorter one may be a part of it.
    pub(super) fn of(url: &Url, headers: &HeaderMap) -> Self {
        let values = headers.values().filter_map(|value| value.to_str().ok()).flat_map(|value| {
            let credentials = value.split_once(' ').map(|(_, credentials)| credentials.trim());
            [Some(value), credentials].into_iter().flatten().map(str::to_owned)
        });
        // As they were written, and as they are meant.
        let raw =
            url.query().unwrap_or_default().split('&').filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
        let decoded = url.query_pairs().map(|(_, value)| value.into_owned());
        let mut secrets: Vec<_> = values.chain(login(url)).chain(raw).chain(decoded).collect();
        secrets.retain(|text| text.len() >= SHORTEST);
        secrets.sort_by_key(|text| Reverse(text.len()));
        Self(secrets)
    }

    /// The text without any of it.
    pub(super) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let is_in = |text: &str| self.0.iter().any(|secret| text.contains(secret));
        if !is_in(text) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN)))
    }
}

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A URL's password, or what stands in its place, and all of it as a header has it (RFC 7617).
fn login(url: &Url) -> Vec<String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (name, password) = (url.username(), url.password());
    if name.is_empty() && password.is_none() {
        return Vec::new();
    }
    let secret = password.unwrap_or(name);
    let header = STANDARD.encode(format!("{}:{}", decoded(name), decoded(password.unwrap_or_default())));
    vec![secret.to_owned(), decoded(secret), header]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_known_as_http_sends_it() {
        for (login_of, expected) in [
            ("Aladdin:open%20sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("test:123%C2%A3", "dGVzdDoxMjPCow=="),
            ("abc", "YWJjOg=="),
            (":ab", "OmFi"),
        ] {
            let url = format!("http://{login_of}@localhost:4318").parse().unwrap();
            assert!(login(&url).iter().any(|secret| secret == expected), "{login_of}");
        }
        assert_eq!(login(&"http://localhost:4318".parse().unwrap()), Vec::<String>::new());
    }
}
