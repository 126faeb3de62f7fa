//! `token-server health`: for health checks of containers.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use service::probe::{self, Place};
use service::settings::glance;

use super::error::CliError;
use crate::config::{ADMIN_LISTEN, ADMIN_LISTEN_FALLBACK, ADMIN_SOCKET, CONFIG};
use crate::tls;

/// Arguments of `token-server health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Where to ask instead: host:port, or unix:/path
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
}

/// Asks the running server: on the admin socket, where it has one, since that never speaks TLS. Of the configuration only
/// the address is looked at, and as far as it can be read: it may be faulty by now, which does not stop a server that runs.
pub(super) async fn run(health: Health, environment: &[(OsString, OsString)]) -> Result<(), CliError> {
    let setting = |name| glance(name, CONFIG, environment);
    let place = match (health.address, setting(ADMIN_SOCKET), setting(tls::CERT)) {
        (Some(address), _, _) => match address.strip_prefix("unix:") {
            Some(path) => Place::Unix(PathBuf::from(path)),
            None => Place::Tcp(address),
        },
        (None, Some(socket), _) => Place::Unix(PathBuf::from(socket)),
        (None, None, None) => {
            Place::Tcp(setting(ADMIN_LISTEN).unwrap_or_else(|| ADMIN_LISTEN_FALLBACK.to_owned()))
        }
        (None, None, Some(_)) => return Err(CliError::NoProbe),
    };
    // The program ends with the answer, so that nothing is kept waiting.
    tokio::task::block_in_place(|| probe::ready(&place))?;
    Ok(())
}
