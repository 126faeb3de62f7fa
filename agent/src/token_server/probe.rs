//! Looks after the token-servers while no request does: an empty check each second.
//!
//! A server that is down is no reason to take the agent out: it answers `E_BACKEND_UNAVAIL` with the cause, and signs
//! of life come back by themselves. A server that judges by another profile, refuses our bearer token, or reads
//! another store than its neighbour, is: its answers would be wrong, not absent. And an agent that has never heard any
//! server since its start is not ready yet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use super::{TokenServer, misconfiguration};

/// The time between two probes, and the budget of one.
const INTERVAL: Duration = Duration::from_secs(1);
/// What holds the agent back.
const CAUSE: &str = "token-server";

/// Probes every server until `shutdown`.
pub async fn watch(servers: TokenServer, readiness: Readiness, shutdown: Shutdown) {
    readiness.block(CAUSE, "no token-server has answered yet");
    let mut timer = interval(INTERVAL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = false;
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let mut stores = BTreeSet::new();
        let mut wrong = None;
        let known = Arc::clone(&servers.servers().borrow());
        for server in known.iter() {
            match servers.probe(server, INTERVAL).await {
                Ok(response) => {
                    stores.insert(response.store_id);
                }
                Err(error) => {
                    let endpoint = server.endpoint();
                    tracing::debug!(server = %endpoint, %error, "token-server does not answer its probe");
                    wrong = wrong.or(misconfiguration(&error).map(|why| format!("{endpoint}: {why}")));
                }
            }
        }
        if stores.len() > 1 {
            wrong =
                Some("the servers read different stores; all servers of one agent must share one".to_owned());
        }
        heard |= !stores.is_empty();
        match wrong {
            Some(why) => {
                tracing::warn!(why, "not ready");
                readiness.block(CAUSE, why);
            }
            None if heard => readiness.clear(CAUSE),
            None => {}
        }
    }
}
