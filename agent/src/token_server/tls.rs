//! TLS to token-servers: whom the agent trusts, and whom they may trust in it (RFC 8446 section 4.4.2).

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};

use super::client::ClientError;
use crate::config::{IdentityFiles, TokenServerConfig, TokenServers};

/// Reads the files that the configuration names. They are read once: new ones are used from the next start on.
pub(super) fn client_config(config: &TokenServerConfig) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let tls = match &config.ca_file {
        Some(path) => tls.with_root_certificates(roots(path)?),
        None => match &config.servers {
            TokenServers::Urls(urls) if urls.iter().any(|url| url.scheme() == "https") => {
                tls.with_native_roots().map_err(ClientError::SystemRoots)?
            }
            // A machine without certificates can still speak plain HTTP.
            TokenServers::Urls(_) => tls.with_root_certificates(RootCertStore::empty()),
            // Which servers want TLS is found out later.
            TokenServers::Backend { .. } => match tls.clone().with_native_roots() {
                Ok(tls) => tls,
                Err(_) => tls.with_root_certificates(RootCertStore::empty()),
            },
        },
    };
    match &config.identity {
        None => Ok(tls.with_no_client_auth()),
        Some(IdentityFiles { cert, key }) => {
            let chain = certificates(cert).ok_or(ClientError::CertFile)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|_| ClientError::KeyFile)?;
            tls.with_client_auth_cert(chain, key).map_err(ClientError::Identity)
        }
    }
}

fn roots(path: &Path) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path).ok_or(ClientError::CaFile)? {
        roots.add(certificate).map_err(|_| ClientError::CaFile)?;
    }
    Ok(roots)
}

/// All certificates of a PEM file; absent if there is none, or one is damaged.
fn certificates(path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path).ok()?.collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}
