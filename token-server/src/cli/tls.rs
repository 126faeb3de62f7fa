//! Whom operators' commands trust, and how they show who they are.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use service::pem;

use super::error::CliError;
use super::target::Target;

/// The configuration of a client for the files of the command line.
pub(super) fn client(target: &Target) -> Result<Arc<ClientConfig>, CliError> {
    let refuse = |name, why: String| CliError::Argument { name, why };
    let Some(ca_file) = &target.ca_file else {
        return Err(refuse("--ca-file", "is needed for an https:// server".to_owned()));
    };
    let roots = pem::roots(&read(ca_file)?).map_err(|why| refuse("--ca-file", why))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse("--server", error.to_string()))?
        .with_root_certificates(roots);
    let config = match (&target.cert_file, &target.key_file) {
        (Some(cert), Some(key)) => {
            let chain = pem::certificates(&read(cert)?).map_err(|why| refuse("--cert-file", why))?;
            let key = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|_| refuse("--key-file", "holds no PEM private key".to_owned()))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| refuse("--cert-file", error.to_string()))?
        }
        (_, _) => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|cause| CliError::File { path: path.to_owned(), cause })
}
