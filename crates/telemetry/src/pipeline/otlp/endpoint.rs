//! `OTEL_EXPORTER_OTLP_ENDPOINT`.

use std::str::FromStr;

use reqwest::Url;

use super::protocol::Protocol;
use super::variables::Variables;

const ENDPOINT: &str = "ENDPOINT";

/// Where the signal's requests go.
pub(super) fn url(variables: &Variables<'_>, protocol: Protocol) -> Url {
    // Read in any case: a wrong value is to be told of also where another variable makes it useless.
    let is_insecure = variables.environment.is_true(&variables.name("INSECURE"));
    let default = protocol.default_endpoint();
    let given = variables.get(ENDPOINT).map(|text| match protocol {
        Protocol::Grpc => grpc(text, is_insecure),
        Protocol::HttpProtobuf | Protocol::HttpJson => http(text),
    });
    if let Some(None) = given {
        variables.warn(ENDPOINT, &format!("is no URL to export to, taken as {default}"));
    }
    let is_own = variables.own(ENDPOINT).is_some() && given.as_ref().is_some_and(Option::is_some);
    let mut url = given.flatten().unwrap_or_else(|| http(default).expect("the default is a URL"));
    match protocol {
        Protocol::Grpc => warn_of_login(variables, &mut url),
        Protocol::HttpProtobuf | Protocol::HttpJson if is_own => {}
        Protocol::HttpProtobuf | Protocol::HttpJson => {
            let path = format!("{}{}", url.path().trim_end_matches('/'), variables.signal.http_path());
            url.set_path(&path);
        }
    }
    url
}

fn http(text: &str) -> Option<Url> {
    let is_known = |scheme: &str| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    text.split_once("://").filter(|(scheme, _)| is_known(scheme))?;
    let mut url = Url::parse(text).ok()?;
    url.set_fragment(None);
    url.host().is_some().then_some(url)
}

/// For gRPC, `host:port` is enough. Nothing of a URL but its scheme, host and port means anything.
fn grpc(text: &str, is_insecure: bool) -> Option<Url> {
    let mut url = match text.contains("://") {
        true => http(text)?,
        false => {
            let (_, port) = text.trim_end_matches('/').rsplit_once(':')?;
            u16::from_str(port).ok()?;
            http(&format!("{}://{text}", if is_insecure { "http" } else { "https" }))?
        }
    };
    url.set_path("");
    url.set_query(None);
    // What a URL may hold and a channel not.
    http::Uri::from_str(url.as_str()).ok().map(|_| url)
}

/// A name and password in a URL are for HTTP alone. In gRPC they would be a part of the host's name.
fn warn_of_login(variables: &Variables<'_>, url: &mut Url) {
    if !url.username().is_empty() || url.password().is_some() {
        variables.warn(ENDPOINT, "holds a name or password, left out: gRPC has none in its URLs, but in its headers");
        // Neither can fail for a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
}
