//! TLS of the TCP listeners: a certificate, and on request client certificates (TLS 1.2 and 1.3, aws-lc-rs). It also chooses
//! between HTTP/2 and HTTP/1.1 (ALPN, RFC 7301); a client that offers neither speaks HTTP/1.1.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use service::pem;
use service::secret_file::{FileFault, NamedFile, Reload, SecretFile};

/// The files of the settings `TOKEN_SERVER__TLS__CERT`, `__KEY` and `__CLIENT_CA`.
pub struct TlsFiles {
    /// The certificate and those that lead from it to its authority, PEM.
    pub cert: PathBuf,
    /// The certificate's private key, PEM.
    pub key: PathBuf,
    /// Authorities of client certificates, PEM; set = every client needs one.
    pub client_ca: Option<PathBuf>,
}

/// The settings.
pub(crate) const CERT: &str = "TOKEN_SERVER__TLS__CERT";
pub(crate) const KEY: &str = "TOKEN_SERVER__TLS__KEY";
pub(crate) const CLIENT_CA: &str = "TOKEN_SERVER__TLS__CLIENT_CA";

/// What ALPN calls the protocols (RFC 9113 section 3.2, RFC 7301 section 6).
pub(crate) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Who may connect with a certificate.
type Clients = Arc<dyn ClientCertVerifier>;

/// What listeners use for their next connection. The certificate and the clients' authorities are read apart: a fault of
/// the one does not hold up the other.
#[derive(Debug)]
pub struct Tls {
    own: Arc<SecretFile<CertifiedKey>>,
    clients: Option<Arc<SecretFile<Clients>>>,
    made: Mutex<Option<Made>>,
}

/// What was made, and of what.
#[derive(Debug)]
struct Made {
    own: Arc<CertifiedKey>,
    clients: Option<Arc<Clients>>,
    config: Arc<ServerConfig>,
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// Which cannot be used and why, without a word of what it holds.
    pub fn load(self) -> Result<Tls, FileFault> {
        let cert = NamedFile::new(CERT, self.cert);
        let own = pem::identity(cert.clone(), NamedFile::new(KEY, self.key), default_provider())?;
        let clients = self.client_ca.map(|path| SecretFile::one(NamedFile::new(CLIENT_CA, path), clients));
        let tls =
            Tls { own: Arc::new(own), clients: clients.transpose()?.map(Arc::new), made: Mutex::default() };
        let NamedFile { setting, path } = cert;
        match tls.current() {
            Ok(_) => Ok(tls),
            Err(error) => Err(FileFault { setting, path, why: format!("TLS cannot be set up: {error}") }),
        }
    }
}

impl Tls {
    /// For the next connection.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub(crate) fn current(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let (own, clients) = (self.own.current(), self.clients.as_ref().map(|clients| clients.current()));
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*made
            && Arc::ptr_eq(&made.own, &own)
            && made.clients.as_ref().map(Arc::as_ptr) == clients.as_ref().map(Arc::as_ptr)
        {
            return Ok(Arc::clone(&made.config));
        }
        let config = Arc::new(config(&own, clients.as_deref())?);
        Ok(Arc::clone(&made.insert(Made { own, clients, config }).config))
    }

    /// What is read again.
    pub(crate) fn files(&self) -> impl Iterator<Item = Arc<dyn Reload>> {
        let clients = self.clients.iter().map(|clients| Arc::clone(clients) as Arc<dyn Reload>);
        std::iter::once(Arc::clone(&self.own) as Arc<dyn Reload>).chain(clients)
    }
}

fn config(own: &Arc<CertifiedKey>, clients: Option<&Clients>) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(own))));
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(config)
}

fn clients(pem: &[u8]) -> Result<Clients, String> {
    let roots = Arc::new(pem::roots(pem)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::new(default_provider()));
    let built = verifier.build().map_err(|error| error.to_string())?;
    Ok(built)
}
