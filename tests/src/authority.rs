//! Certificates made for one test.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// An authority, with its certificate in a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub file: PathBuf,
}

/// A certificate and its key, in files.
#[derive(Debug, Clone)]
pub struct Identity {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// A new one, whose certificate is written to `file`.
    pub fn new(file: PathBuf) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of two authorities of one name in a file of several OpenSSL takes the wrong one.
        params.distinguished_name.push(DnType::CommonName, file.display().to_string());
        let key = KeyPair::generate().unwrap();
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A certificate for `name`, in `<name>.pem` and `<name>.key` of the folder: first the one, then the other.
    pub fn issue(&self, folder: &Path, name: &str) -> Identity {
        let identity =
            Identity { cert: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        // With the authority's own name OpenSSL would take it for self-signed.
        params.distinguished_name.push(DnType::CommonName, name);
        fs::write(&identity.cert, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }
}
