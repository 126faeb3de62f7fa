//! TLS to key servers: whom we trust, and what we show. The files are read at each fetch and used again while their bytes
//! are the same.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use service::trust::Fetch;

use super::FetchFault;
use super::handshake::{Seen, ShownCertificate, Verifier};

/// The largest file of certificates or keys.
const MAX_BYTES: u64 = 1024 * 1024;

/// The system's certificates, read when they are first needed.
#[derive(Debug, Default)]
pub(super) struct SystemRoots(OnceLock<Vec<CertificateDer<'static>>>);

impl SystemRoots {
    fn certificates(&self) -> &[CertificateDer<'static>] {
        self.0.get_or_init(|| {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "some of the system's certificates cannot be read");
            }
            found.certs
        })
    }
}

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Files {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    /// Reads them; the client certificate and its key only for those who may see it.
    pub(super) fn read(fetch: &Fetch, shows_certificate: bool) -> Result<Self, FetchFault> {
        let ca = fetch.ca_file.as_deref().map(|path| bytes(path, || fetch.ca_setting.clone())).transpose()?;
        let certificate = fetch.certificate.as_ref().filter(|_| shows_certificate);
        let identity = certificate.map(|files| {
            let cert = bytes(&files.cert, || fetch.setting(|names| names.cert_file))?;
            Ok((cert, bytes(&files.key, || fetch.setting(|names| names.key_file))?))
        });
        Ok(Self { ca, identity: identity.transpose()? })
    }

    /// Whether TLS can be had of them.
    pub(super) fn check(&self, fetch: &Fetch) -> Result<(), FetchFault> {
        self.config(fetch, &SystemRoots(OnceLock::from(Vec::new())), &Arc::default()).map(drop)
    }

    /// TLS as the files say.
    pub(super) fn config(
        &self,
        fetch: &Fetch,
        system: &SystemRoots,
        seen: &Arc<Seen>,
    ) -> Result<ClientConfig, FetchFault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let unusable = |error: rustls::Error| FetchFault {
            setting: fetch.ca_setting.clone(),
            why: format!("TLS cannot be set up: {error}"),
        };
        let pinned = match &self.ca {
            Some(pem) => {
                certificates(pem).map_err(|why| FetchFault { setting: fetch.ca_setting.clone(), why })?
            }
            None => Vec::new(),
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system.certificates().iter().cloned());
        for certificate in &pinned {
            roots.add(certificate.clone()).map_err(|error| FetchFault {
                setting: fetch.ca_setting.clone(),
                why: format!("holds a certificate that cannot be used: {error}"),
            })?;
        }
        let authorities = if roots.is_empty() {
            None
        } else {
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Some(verifier.build().map_err(|error| unusable(rustls::Error::General(error.to_string())))?)
        };
        let key = match &self.identity {
            Some((cert, key)) => Some(Arc::new(identity(fetch, cert, key, &provider)?)),
            None => None,
        };
        let verifier =
            Verifier::new(authorities, pinned, provider.signature_verification_algorithms, Arc::clone(seen));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(ShownCertificate::new(key, Arc::clone(seen))));
        // A certificate is judged at each connection.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn identity(
    fetch: &Fetch,
    cert: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, FetchFault> {
    let chain = certificates(cert)
        .map_err(|why| FetchFault { setting: fetch.setting(|names| names.cert_file), why })?;
    let setting = || fetch.setting(|names| names.key_file);
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| FetchFault {
        setting: setting(),
        why: "expected a file with a PEM private key without a password".to_owned(),
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let why = match error {
            rustls::Error::InconsistentKeys(_) => {
                let cert = fetch.setting(|names| names.cert_file);
                format!("is not the key of the first certificate in {cert}; that one must be ours, those of authorities follow")
            }
            other => format!("cannot be used: {other}"),
        };
        FetchFault { setting: setting(), why }
    })
}

fn bytes(path: &Path, setting: impl Fn() -> String) -> Result<Vec<u8>, FetchFault> {
    let failed = |error| FetchFault { setting: setting(), why: format!("cannot read the file: {error}") };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(FetchFault { setting: setting(), why: format!("the file is over {MAX_BYTES} bytes") });
    }
    std::fs::read(path).map_err(failed)
}

/// All certificates of a PEM file.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
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
