//! The server itself: from the configuration to a signal.

use service::shutdown::{Shutdown, StopSignals};
use service::supervisor::{NOTIFY_SOCKET, Supervisor};
use service::telemetry::{self, LogFormat};

use super::error::CliError;
use crate::config::Config;
use crate::listen::Listeners;
use crate::reconfigure::Origin;

pub(super) async fn run(origin: Origin, config: Config, log_format: LogFormat) -> Result<(), CliError> {
    telemetry::init(log_format);
    let supervisor = supervisor();
    let listeners = Listeners::bind(&config).await?;
    let mut stops = StopSignals::install().map_err(CliError::Signals)?;
    let shutdown = Shutdown::new();
    let run = crate::run::run((origin, config), listeners, shutdown.clone(), || supervisor.serving());
    let mut run = std::pin::pin!(run);
    tokio::select! {
        ended = run.as_mut() => ended?,
        signal = stops.next() => {
            tracing::info!(signal, "stopping");
            supervisor.stopping();
            shutdown.cancel();
            run.await?;
        }
    }
    tracing::info!("stopped");
    Ok(())
}

fn supervisor() -> Supervisor {
    Supervisor::new(std::env::var_os(NOTIFY_SOCKET).as_deref()).unwrap_or_else(|error| {
        tracing::warn!(%error, "{NOTIFY_SOCKET} names no socket; the service manager does not learn that we serve");
        Supervisor::default()
    })
}
