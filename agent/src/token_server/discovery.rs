//! Finds out, again and again, which token-servers there are, and runs what asks them.

use std::collections::BTreeSet;
use std::time::Duration;

use service::shutdown::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::client::HttpClient;
use super::driver::Driver;
use super::names::Origin;
use super::server::Servers;

/// The time between two looks. A name's own lifetime is not told by the system's resolver, which caches if it is told to.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where the servers are found, and the set that is kept of them.
#[derive(Debug)]
pub struct Discovery {
    origins: Vec<Origin>,
    servers: Servers,
    new: Vec<Driver<HttpClient>>,
    drivers: JoinSet<()>,
}

impl Discovery {
    /// Servers that are given as addresses are there at once.
    pub fn new(origins: Vec<Origin>, servers: Servers) -> Self {
        let mut discovery = Self { origins, servers, new: Vec::new(), drivers: JoinSet::new() };
        discovery.publish();
        discovery
    }

    /// Looks, and asks the servers for whoever waits for them, until `shutdown`.
    pub async fn run(mut self, shutdown: Shutdown) {
        self.start_drivers();
        if !self.origins.iter().any(Origin::is_name) {
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
        for origin in &mut self.origins {
            origin.resolve().await;
        }
        self.publish();
        self.start_drivers();
    }

    fn publish(&mut self) {
        let endpoints: BTreeSet<_> =
            self.origins.iter().flat_map(|origin| origin.endpoints().iter().cloned()).collect();
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
