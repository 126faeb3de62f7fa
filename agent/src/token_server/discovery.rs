//! Finds out, again and again, which token-servers there are, and runs what asks them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use service::shutdown::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::backend::{Backend, BackendError};
use super::client::HttpClient;
use super::driver::Driver;
use super::names::{NameError, Origin};
use super::server::{Endpoint, Servers};
use crate::config::TokenServers;
use crate::metrics::Metrics;

/// The time between two looks. A name's own lifetime is not told by the system's resolver, which caches if it is told to.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where servers are found.
#[derive(Debug)]
enum Source {
    Url(Origin),
    Backend(Backend),
}

/// Why a source does not tell.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl Source {
    async fn look(&mut self) -> Result<(), LookError> {
        match self {
            Self::Url(origin) => Ok(origin.look().await?),
            Self::Backend(backend) => Ok(backend.look().await?),
        }
    }

    fn endpoints(&self) -> &BTreeSet<Endpoint> {
        match self {
            Self::Url(origin) => origin.endpoints(),
            Self::Backend(backend) => backend.endpoints(),
        }
    }

    fn can_change(&self) -> bool {
        match self {
            Self::Url(origin) => origin.is_name(),
            Self::Backend(_) => true,
        }
    }
}

/// Where the servers are found, and the set that is kept of them.
#[derive(Debug)]
pub struct Discovery {
    /// Each with whether it told when it was last asked.
    sources: Vec<(Source, bool)>,
    servers: Servers,
    new: Vec<Driver<HttpClient>>,
    drivers: JoinSet<()>,
    metrics: Arc<Metrics>,
}

impl Discovery {
    /// Servers that are given as addresses are there at once.
    pub fn new(config: &TokenServers, servers: Servers, metrics: Arc<Metrics>) -> Self {
        let sources: Vec<_> = match config {
            TokenServers::Urls(urls) => urls.iter().filter_map(Origin::new).map(Source::Url).collect(),
            TokenServers::Backend { name, socket } => {
                vec![Source::Backend(Backend::new(name.clone(), socket.clone()))]
            }
        };
        let sources = sources.into_iter().map(|source| (source, true)).collect();
        let mut discovery = Self { sources, servers, new: Vec::new(), drivers: JoinSet::new(), metrics };
        discovery.publish();
        discovery
    }

    /// Looks for the first time. That somebody does not answer yet is no fault: whatever starts first waits for the other.
    ///
    /// # Errors
    ///
    /// HAProxy answers, and has no such backend.
    pub async fn open(&mut self) -> Result<(), BackendError> {
        for (source, _) in &mut self.sources {
            if let Source::Backend(backend) = source
                && let Err(error @ BackendError::NoSuchBackend) = backend.look().await
            {
                return Err(error);
            }
        }
        self.publish();
        Ok(())
    }

    /// Looks, and asks the servers for whoever waits for them, until `shutdown`.
    pub async fn run(mut self, shutdown: Shutdown) {
        self.start_drivers();
        if !self.sources.iter().any(|(source, _)| source.can_change()) {
            return shutdown.cancelled().await;
        }
        let mut timer = interval(INTERVAL);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = timer.tick() => {}
                () = shutdown.cancelled() => return,
            }
            tokio::select! {
                () = self.look() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn look(&mut self) {
        for (source, tells) in &mut self.sources {
            match source.look().await {
                Ok(()) if *tells => {}
                Ok(()) => tracing::info!("token-servers are found again"),
                Err(error) => {
                    self.metrics.token_server_discovery_failures.inc();
                    if *tells {
                        tracing::warn!(%error, "token-servers cannot be looked up; those known are kept");
                    }
                    *tells = false;
                    continue;
                }
            }
            *tells = true;
        }
        self.publish();
        self.start_drivers();
    }

    fn publish(&mut self) {
        let endpoints: BTreeSet<_> =
            self.sources.iter().flat_map(|(source, _)| source.endpoints().iter().cloned()).collect();
        self.new.extend(self.servers.replace(&endpoints));
    }

    fn start_drivers(&mut self) {
        // Those whose servers have left have ended by themselves.
        while self.drivers.try_join_next().is_some() {}
        for driver in self.new.drain(..) {
            self.drivers.spawn(driver.run());
        }
    }
}
