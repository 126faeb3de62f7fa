//! Asks the token-servers: is this token, or this verified payload, revoked?
//!
//! [`discovery`] keeps the set of servers, [`driver`] asks one of them in batches and leaves it out while it fails. Here
//! a check is given to the server with the least work, to another when the first fails or does not know, and to another as
//! well when the first is slow; when its time is over no silence counts as consent.

mod attempts;
mod backend;
mod batch;
mod client;
mod connections;
mod discovery;
mod driver;
mod endpoint;
mod error;
mod feed;
mod fitness;
mod health;
mod hedges;
mod names;
mod server;
mod standing;
mod tls;

use std::sync::Arc;
use std::time::Instant;

use jose::{Reject, Trust};
use revocation::check::Check;
use service::secret_file::SecretFiles;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout_at;

use attempts::{Attempts, Choice};
pub use backend::BackendError;
pub use batch::Answer;
use batch::{Needs, Question};
use client::Dialer;
pub use discovery::Discovery;
use driver::Manner;
pub use endpoint::Endpoint;
pub use error::{CallError, ClientError};
pub use feed::{Asking, follow};
use server::Servers;
pub use server::{Server, Snapshot};
use tls::Secrets;

use crate::config::TokenServerConfig;
use crate::metrics::Metrics;

/// A server that has not answered in this part of a check's time gets company.
const HEDGE_AFTER: u32 = 4;

/// Checks of opaque tokens that may wait at a time: anyone can send such tokens, and each may cost a call to another server.
const MAX_OPAQUE: usize = 1_024;

/// The token-servers of this agent.
#[derive(Debug, Clone)]
pub struct TokenServer {
    choice: Choice,
    opaque: Arc<Semaphore>,
    secrets: SecretFiles,
}

impl TokenServer {
    /// Prepares the connections of an agent of this name; none is made yet. [`Discovery::run`] keeps the servers known.
    ///
    /// # Errors
    ///
    /// The bearer token, the client certificate or the CA file cannot be used.
    pub fn new(
        config: &TokenServerConfig,
        trust: &Trust,
        name: &str,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Discovery), ClientError> {
        let (profile, leeway) = (trust.profile(), trust.max_leeway());
        let manner = Manner { profile, leeway, budget: config.budget, metrics };
        let secrets = Arc::new(Secrets::load(config)?);
        let files = secrets.files(&manner.metrics.secrets);
        let servers = Servers::new(Dialer::new(secrets, name)?, manner.clone());
        let watched = servers.watch();
        let discovery = Discovery::new(&config.servers, servers, Arc::clone(&manner.metrics));
        let choice = Choice::new(watched, manner.metrics);
        let opaque = Arc::new(Semaphore::new(MAX_OPAQUE));
        Ok((Self { choice, opaque, secrets: files }, discovery))
    }

    /// The servers, now and whenever they change.
    pub fn servers(&self) -> watch::Receiver<Snapshot> {
        self.choice.servers()
    }

    /// The files of what is shown to servers, which are read again while the agent runs.
    pub fn secrets(&self) -> &SecretFiles {
        &self.secrets
    }

    /// What a server says before `deadline`.
    ///
    /// # Errors
    ///
    /// Why none could be heard, or [`Reject::Overloaded`].
    pub async fn check(&self, check: Check, deadline: Instant) -> Result<Answer, Reject> {
        let _place = match Needs::of(&check) {
            Needs::Itself => None,
            Needs::Others => Some(self.opaque.try_acquire().map_err(|_| Reject::Overloaded)?),
        };
        let question = Question::new(&check, deadline).ok_or(Reject::Malformed)?;
        let hedge_after = deadline.saturating_duration_since(Instant::now()) / HEDGE_AFTER;
        let attempts = Attempts::new(&self.choice, question).run(hedge_after);
        timeout_at(deadline.into(), attempts).await.unwrap_or(Err(Reject::Timeout))
    }
}
