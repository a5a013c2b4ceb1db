//! A URL that may be shown: without credentials and signatures.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::sensitive::is_sensitive;

const REDACTED: &str = "REDACTED";

/// The URL with user name, password and the values of secret query parameters replaced, also where the fragment has some.
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
    if let Some(fragment) = url.fragment().and_then(redacted_query) {
        url.to_mut().set_fragment(Some(&fragment));
    }
    url.into_owned().into()
}

/// The query without the values that grant access: signed URLs of AWS, Azure and Google (semantic conventions,
/// `url.full`), and those that are secrets by their name. `None` if there is nothing to hide, so that the query stays as it
/// was sent.
pub(crate) fn redacted_query(query: &str) -> Option<String> {
    let is_secret = |pair: &&str| {
        let name = percent_decode_str(pair.split('=').next().unwrap_or(pair)).decode_utf8_lossy();
        is_sensitive(&name)
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
        for name in ["Signature", "X-Amz-Credential", "X-Amz-Security-Token", "api_key", "access_token", "password"] {
            let (url, expected) =
                (format!("https://a.example/?{name}=s"), format!("https://a.example/?{name}=REDACTED"));
            check(&url, &expected);
        }
    }

    #[test]
    fn a_token_in_the_fragment_is_replaced() {
        let expected = "https://a.example/#access_token=REDACTED&state=1";
        check("https://a.example/#access_token=t&state=1", expected);
    }
}
