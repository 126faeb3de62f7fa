//! Certificates and keys in PEM (RFC 7468). What is wrong is told without a word of what a file holds.

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::secret_file::{FileFault, NamedFile, SecretFile, Unusable};

/// All certificates of a file.
///
/// # Errors
///
/// There is none, or one is damaged.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    if pem.iter().all(u8::is_ascii_whitespace) {
        return Err("the file is empty; expected PEM certificates".to_owned());
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err("the file holds no PEM certificate (-----BEGIN CERTIFICATE-----)".to_owned()),
        Err(_) => Err("the file holds a PEM certificate that is damaged".to_owned()),
    }
}

/// Authorities to trust.
///
/// # Errors
///
/// A certificate is missing, damaged or none of an authority.
pub fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots
            .add(certificate)
            .map_err(|error| format!("the file holds a certificate that cannot be used: {error}"))?;
    }
    Ok(roots)
}

/// A certificate, those that lead from it to its authority, and its private key, which is in another file.
///
/// # Errors
///
/// One of the files cannot be read or used, or the key is not that of the certificate.
pub fn identity(
    cert: NamedFile,
    key: NamedFile,
    provider: CryptoProvider,
) -> Result<SecretFile<CertifiedKey>, FileFault> {
    let [of_cert, of_key] = [&cert, &key].map(|file| file.setting.clone());
    SecretFile::load(vec![cert, key], move |files| {
        let [cert, key] = files else {
            return Err(Unusable::new(of_cert.clone(), "expected a certificate and a key"));
        };
        certified((cert, &of_cert), (key, &of_key), &provider)
    })
}

fn certified(
    (cert, of_cert): (&[u8], &str),
    (key, of_key): (&[u8], &str),
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Unusable> {
    let chain = certificates(cert).map_err(|why| Unusable::new(of_cert, why))?;
    // The parser's reason would quote the file.
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| Unusable::new(of_key, "expected a file with a PEM private key without a password"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let why = match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "is not the key of the first certificate in {of_cert}; that one must be ours, those of authorities follow"
            ),
            other => format!("cannot be used: {other}"),
        };
        Unusable::new(of_key, why)
    })
}
