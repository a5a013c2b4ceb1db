//! `OTEL_EXPORTER_OTLP_CERTIFICATE`, `_CLIENT_KEY` and `_CLIENT_CERTIFICATE`.

use reqwest::{Client, ClientBuilder, Url};
use tonic::transport::ClientTlsConfig;

use super::variables::Variables;
use crate::attributes::without_brackets;
use crate::secret::Secret;

const ROOTS: &str = "CERTIFICATE";
const CLIENT_KEY: &str = "CLIENT_KEY";
const CLIENT_CERTIFICATE: &str = "CLIENT_CERTIFICATE";

/// What a file with a key in it says.
const KEYS: [&str; 3] = ["BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY", "BEGIN EC PRIVATE KEY"];

/// Whom to trust, and who we are, in PEM. All of it is known to be usable.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Tls {
    /// Instead of those that the system trusts.
    roots: Option<Secret<String>>,
    identity: Option<Identity>,
}

/// What a collector is shown that wants to know who we are.
#[derive(Debug)]
struct Identity {
    certificates: Secret<String>,
    key: Secret<String>,
}

// === impl Tls ===

impl Tls {
    /// Reads the files that the variables name.
    pub(super) fn of(variables: &Variables<'_>) -> Self {
        let roots = file(variables, ROOTS, are_certificates, "certificate");
        Self { roots: roots.map(Secret::new), identity: Identity::of(variables) }
    }

    /// For gRPC to this URL, if it is to be encrypted.
    pub(in crate::pipeline) fn grpc(&self, url: &Url) -> Option<ClientTlsConfig> {
        if url.scheme() != "https" {
            return None;
        }
        // Without brackets: those of an IPv6 address are no part of a certificate's name.
        let host = without_brackets(url.host_str().unwrap_or_default());
        let mut config = ClientTlsConfig::new().domain_name(host);
        config = match &self.roots {
            Some(roots) => config.ca_certificate(tonic::transport::Certificate::from_pem(roots.expose())),
            None => config.with_native_roots(),
        };
        Some(match &self.identity {
            Some(Identity { certificates, key }) => {
                config.identity(tonic::transport::Identity::from_pem(certificates.expose(), key.expose()))
            }
            None => config,
        })
    }

    /// For HTTP to this URL.
    pub(in crate::pipeline) fn http(&self, url: &Url, mut client: ClientBuilder) -> reqwest::Result<ClientBuilder> {
        if url.scheme() != "https" {
            // The system's certificates need not even be there.
            return Ok(client.tls_certs_only([]));
        }
        if let Some(roots) = &self.roots {
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(roots.expose().as_bytes())?);
        }
        match &self.identity {
            Some(identity) => Ok(client.identity(identity.http()?)),
            None => Ok(client),
        }
    }
}

#[cfg(test)]
impl Tls {
    pub(super) fn has_roots(&self) -> bool {
        self.roots.is_some()
    }

    pub(super) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }
}

// === impl Identity ===

impl Identity {
    fn of(variables: &Variables<'_>) -> Option<Self> {
        let (has_key, has_certificate) =
            (variables.get(CLIENT_KEY).is_some(), variables.get(CLIENT_CERTIFICATE).is_some());
        match (has_key, has_certificate) {
            (true, true) => {}
            (false, false) => return None,
            (true, false) => {
                variables.warn(CLIENT_KEY, "is nothing without a client certificate, ignored");
                return None;
            }
            (false, true) => {
                variables.warn(CLIENT_CERTIFICATE, "is nothing without a client key, ignored");
                return None;
            }
        }
        let certificates = file(variables, CLIENT_CERTIFICATE, are_certificates, "certificate");
        let key = file(variables, CLIENT_KEY, |text| KEYS.iter().any(|key| text.contains(key)), "private key");
        let identity = Self { certificates: Secret::new(certificates?), key: Secret::new(key?) };
        let tried = identity.http().and_then(|tried| Client::builder().tls_certs_only([]).identity(tried).build());
        if tried.is_err() {
            variables.warn(CLIENT_KEY, "is not the key of the client certificate, both ignored");
            return None;
        }
        Some(identity)
    }

    fn http(&self) -> reqwest::Result<reqwest::Identity> {
        let both = format!("{}\n{}", self.key.expose(), self.certificates.expose());
        reqwest::Identity::from_pem(both.as_bytes())
    }
}

/// The text of the file that the variable names, if it holds what it should.
fn file(variables: &Variables<'_>, what: &str, is_usable: fn(&str) -> bool, holding: &str) -> Option<String> {
    let path = variables.get(what)?;
    let Ok(bytes) = std::fs::read(path) else {
        variables.warn(what, "names a file that cannot be read, ignored");
        return None;
    };
    // Around what counts there may be remarks in any encoding.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if !is_usable(&text) {
        variables.warn(what, &format!("names a file that holds no {holding} in PEM, ignored"));
        return None;
    }
    Some(text)
}

/// Whether there are any, and a client takes all of them.
fn are_certificates(text: &str) -> bool {
    let certificates = reqwest::Certificate::from_pem_bundle(text.as_bytes()).unwrap_or_default();
    !certificates.is_empty() && Client::builder().tls_certs_only(certificates).build().is_ok()
}
