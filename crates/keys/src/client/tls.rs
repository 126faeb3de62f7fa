//! TLS to key servers: whom we trust, and what we show. The files are read at each fetch and used again while their bytes
//! are the same.

use std::sync::{Arc, OnceLock};

use crate::trust::Fetch;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use service::pem;
use service::secret_file::{FileFault, NamedFile, Reload, SecretFile};

use super::handshake::{Seen, ShownCertificate, Verifier};
use crate::load_error::FetchFault;

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

/// The files.
#[derive(Debug)]
pub(super) struct Files {
    ca: Option<SecretFile<Vec<CertificateDer<'static>>>>,
    identity: Option<SecretFile<CertifiedKey>>,
}

/// What they hold.
#[derive(Clone)]
pub(super) struct Held {
    ca: Option<Arc<Vec<CertificateDer<'static>>>>,
    identity: Option<Arc<CertifiedKey>>,
}

impl Files {
    /// Reads them for the first time.
    pub(super) fn load(fetch: &Fetch) -> Result<Self, FileFault> {
        let ca = fetch.authorities();
        let identity = fetch.certificate.as_ref().map(|files| {
            let cert = NamedFile::new(fetch.setting(|names| names.cert_file), &files.cert);
            let key = NamedFile::new(fetch.setting(|names| names.key_file), &files.key);
            pem::identity(cert, key, aws_lc_rs::default_provider())
        });
        Ok(Self { ca: ca.transpose()?, identity: identity.transpose()? })
    }

    /// All of them.
    pub(super) fn each(&self) -> impl Iterator<Item = &dyn Reload> {
        let ca = self.ca.iter().map(|file| file as &dyn Reload);
        ca.chain(self.identity.iter().map(|file| file as &dyn Reload))
    }

    /// What they said when they were last read well; the client certificate only for those who may see it.
    pub(super) fn held(&self, shows_certificate: bool) -> Held {
        let identity = self.identity.as_ref().filter(|_| shows_certificate);
        Held {
            ca: self.ca.as_ref().map(|file| file.current()),
            identity: identity.map(|file| file.current()),
        }
    }
}

impl Held {
    /// Whether nothing was read since.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.ca.as_ref().map(Arc::as_ptr) == other.ca.as_ref().map(Arc::as_ptr)
            && self.identity.as_ref().map(Arc::as_ptr) == other.identity.as_ref().map(Arc::as_ptr)
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
        let pinned = self.ca.as_deref().cloned().unwrap_or_default();
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
        let key = self.identity.clone();
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
