//! Secrets that lead to token-servers: whom the agent trusts, and what it shows (RFC 8446 section 4.4.2, RFC 6750).

use std::sync::Arc;

use hyper::header::HeaderValue;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use service::pem;
use service::secret_file::{NamedFile, Reload, SecretFile, SecretFiles, SecretMetrics};

use super::error::ClientError;
use crate::config::{IdentityFiles, TokenServerConfig, TokenServers};

/// The secrets as their files say.
#[derive(Debug)]
pub struct Secrets {
    token: Option<Arc<SecretFile<HeaderValue>>>,
    roots: Roots,
    identity: Option<Arc<SecretFile<CertifiedKey>>>,
}

#[derive(Debug)]
enum Roots {
    File(Arc<SecretFile<RootCertStore>>),
    System(Arc<RootCertStore>),
}

impl Secrets {
    /// Reads the files for the first time.
    ///
    /// # Errors
    ///
    /// One of them cannot be used.
    pub fn load(config: &TokenServerConfig) -> Result<Self, ClientError> {
        let token = config
            .token_file
            .as_ref()
            .map(|path| SecretFile::one(NamedFile::new("JWT_TOKEN_SERVER_TOKEN_FILE", path), bearer));
        let identity = config.identity.as_ref().map(|IdentityFiles { cert, key }| {
            let cert = NamedFile::new("JWT_TOKEN_SERVER_CERT_FILE", cert);
            pem::identity(cert, NamedFile::new("JWT_TOKEN_SERVER_KEY_FILE", key), default_provider())
        });
        Ok(Self {
            token: token.transpose()?.map(Arc::new),
            roots: match &config.ca_file {
                Some(path) => {
                    let file = NamedFile::new("JWT_TOKEN_SERVER_CA_FILE", path);
                    Roots::File(Arc::new(SecretFile::one(file, pem::roots)?))
                }
                None => Roots::System(Arc::new(system_roots(&config.servers)?)),
            },
            identity: identity.transpose()?.map(Arc::new),
        })
    }

    /// What is read again, and shown in these metrics.
    pub fn files(&self, metrics: &SecretMetrics) -> SecretFiles {
        let mut files: Vec<Arc<dyn Reload>> = Vec::new();
        files.extend(self.token.iter().map(|file| Arc::clone(file) as Arc<dyn Reload>));
        files.extend(self.identity.iter().map(|file| Arc::clone(file) as Arc<dyn Reload>));
        if let Roots::File(file) = &self.roots {
            files.push(Arc::clone(file) as Arc<dyn Reload>);
        }
        let mut all = SecretFiles::default();
        for file in files {
            file.report_to(metrics);
            all.add(file);
        }
        all
    }

    /// The bearer token to show.
    pub fn token(&self) -> Option<Arc<HeaderValue>> {
        self.token.as_ref().map(|token| token.current())
    }

    /// Reads the bearer token again, in a thread that may wait for a disk.
    pub async fn reread_token(&self) {
        let Some(token) = self.token.clone() else { return };
        if let Err(error) = tokio::task::spawn_blocking(move || token.reload()).await {
            tracing::error!(%error, "the bearer token could not be read again");
        }
    }

    /// What connections are made with.
    pub fn shown(&self) -> Shown {
        let roots = match &self.roots {
            Roots::File(file) => file.current(),
            Roots::System(roots) => Arc::clone(roots),
        };
        Shown { roots, identity: self.identity.as_ref().map(|identity| identity.current()) }
    }
}

/// What connections are made with: whom they trust and what they show.
#[derive(Debug, Clone)]
pub struct Shown {
    roots: Arc<RootCertStore>,
    identity: Option<Arc<CertifiedKey>>,
}

impl Shown {
    /// Whether the other trusts the same.
    pub fn trusts_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.roots, &other.roots)
    }

    /// Whether the other shows the same certificate.
    pub fn shows_as(&self, other: &Self) -> bool {
        self.identity.as_ref().map(Arc::as_ptr) == other.identity.as_ref().map(Arc::as_ptr)
    }

    /// Whether nothing differs.
    pub fn is(&self, other: &Self) -> bool {
        self.trusts_as(other) && self.shows_as(other)
    }

    /// The same certificate, for those whom the other trusts.
    pub fn trusting_as(self, other: &Self) -> Self {
        Self { roots: Arc::clone(&other.roots), ..self }
    }

    /// TLS with it.
    ///
    /// # Errors
    ///
    /// The TLS library refuses its own defaults.
    pub fn config(&self) -> Result<ClientConfig, rustls::Error> {
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.roots));
        Ok(match &self.identity {
            None => tls.with_no_client_auth(),
            Some(identity) => {
                tls.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity))))
            }
        })
    }
}

/// The system's certificates. A machine without any can still speak plain HTTP.
fn system_roots(servers: &TokenServers) -> Result<RootCertStore, ClientError> {
    let needs_them = match servers {
        TokenServers::Urls(urls) if urls.iter().any(|url| url.scheme() == "https") => true,
        TokenServers::Urls(_) => return Ok(RootCertStore::empty()),
        // Which servers want TLS is found out later.
        TokenServers::Backend { .. } => false,
    };
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match found.errors.first() {
        Some(error) if roots.is_empty() && needs_them => Err(ClientError::SystemRoots(error.to_string())),
        None if roots.is_empty() && needs_them => Err(ClientError::SystemRoots("there are none".to_owned())),
        Some(_) | None => Ok(roots),
    }
}

fn bearer(file: &[u8]) -> Result<HeaderValue, String> {
    let token = file.trim_ascii();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err("expected one bearer token in the file".to_owned());
    }
    let mut value = HeaderValue::from_bytes(&[b"Bearer ", token].concat())
        .map_err(|_| "holds what no header may".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
pub(super) mod tests;
