//! Finds out, again and again, which token-servers there are, and runs what asks them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use service::background::Background;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::backend::{Backend, BackendError};
use super::client::HttpClient;
use super::driver::Driver;
use super::endpoint::Endpoint;
use super::names::{NameError, Origin};
use super::server::Servers;
use crate::config::TokenServers;
use crate::metrics::Metrics;

/// The time between two looks. A name's own lifetime is not told by the system's resolver, which caches if it is told to.
const INTERVAL: Duration = Duration::from_secs(1);

/// What counts and logs call the task that asks a server.
const DRIVER: &str = "driver";

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

    /// Looks for the first time. That a name or a backend does not answer yet is no fault: what starts first waits for the other.
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

    /// Looks once, for a check of the configuration; why some are not found.
    pub async fn look_once(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for (source, _) in &mut self.sources {
            if let Err(error) = source.look().await {
                faults.push(error.to_string());
            }
        }
        self.publish();
        faults
    }

    /// Looks for servers, and owns the drivers that ask them, until it is asked to end.
    pub async fn run(mut self, background: Background) {
        self.start_drivers();
        let shutdown = background.shutdown();
        let can_change = self.sources.iter().any(|(source, _)| source.can_change());
        let mut timer = interval(INTERVAL);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = timer.tick(), if can_change => {}
                Some(_) = self.drivers.join_next() => {
                    self.replace_drivers(&background);
                    continue;
                }
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

    /// A driver has ended. If its server has not left, it is lost with what it was about to ask.
    fn replace_drivers(&mut self, background: &Background) {
        for driver in self.servers.replace_drivers() {
            background.note_lost(DRIVER, "a server's checks are asked by another one");
            self.new.push(driver);
        }
        self.start_drivers();
    }

    fn start_drivers(&mut self) {
        for driver in self.new.drain(..) {
            self.drivers.spawn(driver.run());
        }
    }
}

#[cfg(test)]
mod tests {
    use jose::{Leeway, Profile};
    use prometheus_client::registry::Registry;
    use reqwest::Url;
    use service::background::TaskMetrics;
    use service::readiness::Readiness;
    use service::shutdown::Shutdown;

    use super::super::client::Dialer;
    use super::super::driver::Manner;
    use super::super::tls::Secrets;
    use super::*;
    use crate::config::TokenServerConfig;

    #[tokio::test]
    async fn a_server_whose_driver_is_lost_is_not_asked_until_it_has_another() {
        let urls = vec![Url::parse("http://127.0.0.1:9").unwrap()];
        let servers = TokenServers::Urls(urls);
        let budget = Duration::from_secs(20);
        let config = TokenServerConfig { servers, token_file: None, ca_file: None, identity: None, budget };
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let lost = TaskMetrics::register(&mut registry);
        let manner = Manner {
            profile: Profile::Standard,
            leeway: Leeway::NONE,
            budget,
            metrics: Arc::clone(&metrics),
        };
        let dialer = Dialer::new(Arc::new(Secrets::load(&config).unwrap()), "a").unwrap();
        let servers = Servers::new(dialer, manner);
        let watched = servers.watch();
        let mut discovery = Discovery::new(&config.servers, servers, metrics);
        discovery.start_drivers();
        let server = Arc::clone(&watched.borrow()[0]);
        assert!(server.rank().is_some());
        discovery.drivers.shutdown().await;
        assert_eq!(server.rank(), None, "its line leads nowhere");

        let background = Background::new(Shutdown::new(), Readiness::new(), lost);
        discovery.drivers.spawn(async { panic!("as the test wants") });
        let running = tokio::spawn(discovery.run(background.clone()));
        while server.rank().is_none() {
            tokio::task::yield_now().await;
        }
        assert!(Arc::ptr_eq(&server, &watched.borrow()[0]), "it is the same server");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("tasks_lost_total{task=\"driver\"} 1\n"), "{text}");
        background.shutdown().cancel();
        running.await.unwrap();
    }
}
