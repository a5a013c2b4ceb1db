use std::borrow::Cow;
use std::fmt;

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
    /// The values of the headers, and what stands behind a scheme such as `Bearer` in them; the URL's password.
    pub(super) fn of(url: &Url, headers: &HeaderMap) -> Self {
        let values = headers.values().filter_map(|value| value.to_str().ok()).flat_map(|value| {
            let credentials = value.split_once(' ').map(|(_, credentials)| credentials.trim());
            [Some(value), credentials].into_iter().flatten().map(str::to_owned)
        });
        let password = url
            .password()
            .into_iter()
            .flat_map(|password| [password.to_owned(), percent_decode_str(password).decode_utf8_lossy().into_owned()]);
        Self(values.chain(password).filter(|text| text.len() >= SHORTEST).collect())
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
