//! A URL that may be shown: without credentials and signatures.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use reqwest::Url;

const REDACTED: &str = "REDACTED";

/// Query parameters whose values grant access: signed URLs of AWS, Azure and Google
/// (semantic conventions, `url.full`).
const SECRET: [&str; 7] = [
    "AWSAccessKeyId",
    "Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Goog-Signature",
    "sig",
];

/// The URL with user name, password and the values of secret query parameters replaced.
pub(super) fn redacted(url: &Url) -> String {
    let mut url = Cow::Borrowed(url);
    if !url.username().is_empty() {
        // Only URLs that cannot have a user name refuse one.
        let _ = url.to_mut().set_username(REDACTED);
    }
    if url.password().is_some() {
        let _ = url.to_mut().set_password(Some(REDACTED));
    }
    if let Some(query) = url.query().and_then(redacted_query) {
        url.to_mut().set_query(Some(&query));
    }
    url.into_owned().into()
}

/// `None` if there is nothing to hide, so that the query stays as it was sent.
fn redacted_query(query: &str) -> Option<String> {
    let is_secret = |pair: &&str| {
        let name = percent_decode_str(pair.split('=').next().unwrap_or(pair)).decode_utf8_lossy();
        SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(&name))
    };
    query.split('&').any(|pair| is_secret(&pair)).then(|| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(&pair) => format!("{name}={REDACTED}"),
            _ => pair.to_owned(),
        });
        pairs.collect::<Vec<_>>().join("&")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        assert_eq!(redacted(&Url::parse(url).unwrap()), expected);
    }

    #[test]
    fn a_url_without_secrets_stays_as_it_is() {
        check("https://bank.example/v1?q=a%20b&&c#d", "https://bank.example/v1?q=a%20b&&c#d");
    }

    #[test]
    fn credentials_are_replaced() {
        check("https://me:pw@bank.example/", "https://REDACTED:REDACTED@bank.example/");
        check("https://me@bank.example/", "https://REDACTED@bank.example/");
        check("https://:pw@bank.example/", "https://:REDACTED@bank.example/");
    }

    #[test]
    fn signatures_are_replaced() {
        check(
            "https://a.example/?q=1&sig=abc%3D=&X-Amz-Signature=s&x-goog-signature=g",
            "https://a.example/?q=1&sig=REDACTED&X-Amz-Signature=REDACTED&x-goog-signature=REDACTED",
        );
        check(
            "https://a.example/?%73ig=abc&AWSAccessKeyId=k",
            "https://a.example/?%73ig=REDACTED&AWSAccessKeyId=REDACTED",
        );
        check("https://a.example/?design=abc&sig", "https://a.example/?design=abc&sig");
    }
}
