//! What SIGHUP does: reads the configuration and its files again, and puts all of it in use or nothing of it.
//!
//! Listeners, token-servers and what they have told live as long as the process. Keys, policies, kept verdicts and what is
//! sent to HAProxy are made anew and swapped whole. A source that is in both configurations keeps its last good keys.

use std::time::Duration;

use keys::NoKeys;
use tokio::signal::unix::Signal;

use crate::config::{Config, TokenServerConfig};
use crate::metrics::ByOutcome;
use crate::origin::{Origin, OriginError};
use crate::start::{InUse, StartError, check_key_files, key_sources};

/// Why a configuration was not put in use; the one before stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be read.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// A file that it names cannot be used.
    #[error(transparent)]
    Files(#[from] StartError),
    /// It changes what a running agent cannot change.
    #[error("only a restart can change {}", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// None of its sources gave a key in time.
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
}

impl InUse {
    /// Reloads at each SIGHUP, for ever.
    pub async fn reload_at(mut self, mut hangups: Signal, origin: Origin) {
        while hangups.recv().await.is_some() {
            tracing::info!("SIGHUP: reading the configuration and its files again");
            if let Some(server) = &self.lasting.token_server {
                server.secrets().reload().await;
            }
            let reloaded = match origin.load() {
                Ok(config) => self.reload(config).await,
                Err(error) => Err(error.into()),
            };
            let outcome = match reloaded {
                Ok(()) => {
                    for warning in &self.config.warnings {
                        tracing::warn!("{warning}");
                    }
                    tracing::info!("the new configuration is in use");
                    "applied"
                }
                Err(error) => {
                    tracing::error!(%error, "the configuration was not reloaded; the one before stays in use");
                    "refused"
                }
            };
            self.lasting.metrics.reloads.get_or_create(&ByOutcome { outcome }).inc();
        }
    }

    /// Puts a configuration in use.
    ///
    /// # Errors
    ///
    /// Why it cannot be used; nothing has changed then.
    pub async fn reload(&mut self, config: Config) -> Result<(), ReloadError> {
        let fixed = needs_restart(&self.config, &config);
        if !fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(fixed));
        }
        let sources = key_sources(&config.keys)?;
        check_key_files(&config.keys)?;
        let keys = self.keys.successor(config.keys.clone(), sources).await?;
        // The verdicts that were kept by other policies go with them.
        self.current.replace(self.lasting.decider(&config, keys.ring()));
        self.lasting.metrics.show_cache((0, 0));
        let before = std::mem::replace(&mut self.keys, keys);
        before.give_way(&self.keys).await;
        self.config = config;
        Ok(())
    }
}

/// The settings that differ and that what lasts was made with.
fn needs_restart(before: &Config, after: &Config) -> Vec<&'static str> {
    let asked = |config: &Config| {
        let budget = Duration::ZERO;
        config.token_server.clone().map(|server| TokenServerConfig { budget, ..server })
    };
    // Token-servers are told the leeway and the budget.
    let told = before.token_server.is_some();
    [
        ("JWT_AGENT_LISTEN", before.listen != after.listen),
        ("JWT_ADMIN_LISTEN", before.admin_listen != after.admin_listen),
        ("JWT_PROFILE", before.trust.profile() != after.trust.profile()),
        ("JWT_CACHE_TTL", before.terms.ttl != after.terms.ttl),
        ("JWT_CACHE_TTL_MAX", before.terms.ttl_max != after.terms.ttl_max),
        ("JWT_TOKEN_SERVER_*, JWT_HAPROXY_SOCKET", asked(before) != asked(after)),
        ("JWT_TIMEOUT_MS", told && before.timeout != after.timeout),
        ("JWT_LEEWAY", told && before.trust.max_leeway() != after.trust.max_leeway()),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}
