//! TLS of the TCP listeners: a certificate, and on request client certificates (TLS 1.2 and 1.3, aws-lc-rs). It also chooses
//! between HTTP/2 and HTTP/1.1 (ALPN, RFC 7301); a client that offers neither speaks HTTP/1.1.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::files::FromFiles;

/// The files of the settings `TOKEN_SERVER__TLS__CERT`, `__KEY` and `__CLIENT_CA`.
pub struct TlsFiles {
    /// The certificate and those that lead from it to its authority, PEM.
    pub cert: PathBuf,
    /// The certificate's private key, PEM.
    pub key: PathBuf,
    /// Authorities of client certificates, PEM; set = every client needs one.
    pub client_ca: Option<PathBuf>,
}

/// What ALPN calls the protocols (RFC 9113 section 3.2, RFC 7301 section 6).
pub(crate) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// What listeners use for their next connection.
pub type Tls = FromFiles<ServerConfig>;

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// Why they cannot be used, without a word of what they hold.
    pub fn load(self) -> Result<Tls, String> {
        let paths = [self.cert, self.key].into_iter().chain(self.client_ca).collect();
        FromFiles::load("TOKEN_SERVER__TLS__CERT", paths, server_config)
    }
}

fn server_config(files: &[Vec<u8>]) -> Result<ServerConfig, String> {
    let (cert, key, client_ca) = match files {
        [cert, key] => (cert, key, None),
        [cert, key, client_ca] => (cert, key, Some(client_ca)),
        _ => return Err("expected a certificate, a key, and perhaps authorities".to_owned()),
    };
    let chain = certificates(cert).ok_or("the certificate's file holds no PEM certificate")?;
    // The reason would quote the file.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "the key's file holds no PEM private key")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(client_ca) => {
            let roots = Arc::new(roots(client_ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| format!("the clients' authorities: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("the certificate and its key cannot be used: {error}"))?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}

/// Authorities to trust.
pub(crate) fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).ok_or("the authorities' file holds no PEM certificate")? {
        roots.add(certificate).map_err(|error| format!("the authorities' file: {error}"))?;
    }
    Ok(roots)
}

/// All certificates of a PEM file; absent if there is none, or one is damaged.
pub(crate) fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}
