//! `token-server health`: for health checks of containers.

use service::probe::{self, Place};

use super::CliError;
use crate::config::Config;

/// Asks the running server: on the admin socket, where it has one, since that never speaks TLS.
pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let place = match (config.admin_socket, config.tls) {
        (Some(socket), _) => Place::Unix(socket),
        (None, None) => Place::Tcp(config.admin_listen.as_str().to_owned()),
        (None, Some(_)) => return Err(CliError::NoProbe),
    };
    // The program ends with the answer, so that nobody is kept waiting.
    tokio::task::block_in_place(|| probe::ready(&place))?;
    Ok(())
}
