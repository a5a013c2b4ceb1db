use std::sync::Arc;

use axum::serve::Listener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use super::*;
use crate::pipeline::certificates::{Authority, Issued};

/// TLS that speaks HTTP/1.1 alone, as a proxy before a collector may.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

// === impl TlsListener ===

impl TlsListener {
    /// Shows what the authority has issued, and wants to see the like if `clients` is named.
    fn new(listener: TcpListener, shown: &Issued, clients: Option<&Authority>) -> Self {
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let config = match clients {
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(&authority.certificate())).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.unwrap().with_client_cert_verifier(verifier.build().unwrap())
            }
            None => config.unwrap().with_no_client_auth(),
        };
        let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
        let mut config = config.with_single_cert(vec![certificate(&shown.certificate)], key).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            // Whoever does not speak TLS has been told so.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A collector of the protocol that speaks TLS.
pub(super) async fn serve(protocol: &str, authority: &Authority, clients: Option<&Authority>) -> SocketAddr {
    let (listener, address) = bound().await;
    let shown = authority.issue();
    if protocol == "grpc" {
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(&shown.certificate, &shown.key));
        let root = clients.map(|authority| Certificate::from_pem(authority.certificate()));
        let tls = root.into_iter().fold(tls, ServerTlsConfig::client_ca_root);
        GrpcCollector::answering([]).serve_on(listener, Some(tls));
    } else {
        HttpCollector::answering([]).serve_on(TlsListener::new(listener, &shown, clients));
    }
    address
}

const PROTOCOLS: [&str; 3] = ["grpc", "http/protobuf", "http/json"];

/// A sender that trusts whom this file names.
fn trusting(protocol: &str, host: &str, root: &str, more: &[(&str, &str)]) -> Sender {
    let endpoint = format!("https://{host}");
    let general = [("ENDPOINT", &*endpoint), ("PROTOCOL", protocol), ("CERTIFICATE", root)];
    sender_of(Signal::Traces, &[&general[..], more].concat())
}

#[tokio::test]
async fn a_collector_is_trusted_whom_the_named_authority_vouches_for() {
    let authority = Authority::new();
    let root = authority.file("root.pem", &authority.certificate());
    for protocol in PROTOCOLS {
        let address = serve(protocol, &authority, None).await;
        for host in [address.to_string(), format!("localhost:{}", address.port())] {
            assert_eq!(trusting(protocol, &host, &root, &[]).attempt(request("safe")).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn nobody_else_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let others = other.file("root.pem", &other.certificate());
    for protocol in PROTOCOLS {
        let address = serve(protocol, &authority, None).await.to_string();
        // Without the variable the system's are trusted, of whom none knows this authority.
        for root in [&*others, ""] {
            let failure = failure_of(&trusting(protocol, &address, root, &[])).await;
            assert_eq!((failure.verdict, failure.error_type()), (Verdict::Transient, "connection"));
            tells(&failure, &[&address, "UnknownIssuer", "OTEL_EXPORTER_OTLP_CERTIFICATE"]);
        }
    }
}

#[tokio::test]
async fn a_collector_that_wants_to_know_us_is_shown_who_we_are() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let root = authority.file("root.pem", &authority.certificate());
    let (known, stranger) = (clients.issue(), authority.issue());
    let shown = |name: &str, issued: &Issued| {
        let key = authority.file(&format!("{name}.key"), &issued.key);
        [("CLIENT_KEY", key), ("CLIENT_CERTIFICATE", authority.file(&format!("{name}.pem"), &issued.certificate))]
    };
    let (known, stranger) = (shown("known", &known), shown("stranger", &stranger));
    for protocol in PROTOCOLS {
        let address = serve(protocol, &authority, Some(&clients)).await.to_string();
        let with = |shown: &[(&'static str, String)]| {
            let shown: Vec<_> = shown.iter().map(|(what, path)| (*what, path.as_str())).collect();
            trusting(protocol, &address, &root, &shown)
        };
        assert_eq!(with(&known).attempt(request("known")).await.unwrap(), None, "{protocol}");
        for sender in [with(&[]), with(&stranger)] {
            let failure = failure_of(&sender).await;
            assert_eq!((failure.verdict, failure.error_type()), (Verdict::Transient, "connection"));
            tells(&failure, &["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"]);
        }
    }
}
