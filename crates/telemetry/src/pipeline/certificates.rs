//! Certificates for tests, each set by an authority of its own that no system trusts.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// Who vouches for others.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// Who is vouched for, in PEM.
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: String,
}

// === impl Authority ===

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        // By their names authorities are told apart.
        params.distinguished_name.push(DnType::CommonName, uuid::Uuid::new_v4().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: TempDir::new().unwrap() }
    }

    /// Its own certificate, in PEM.
    pub(super) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// Vouches for a host on this machine, or for one of its clients.
    pub(super) fn issue(&self) -> Issued {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// The path of a file with this text, which is there for as long as the authority.
    pub(super) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}
