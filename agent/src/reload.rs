//! What SIGHUP does: reads the configuration and its files again, and puts all of it in use or nothing of it.
//!
//! Listeners, token-servers and what they have told live as long as the process. Keys, policies, kept verdicts and what is
//! sent to HAProxy are made anew and swapped whole. A source that is in both configurations keeps its last good keys.

use keys::NoKeys;
use service::description::{Program, Reload};
use tokio::signal::unix::Signal;

use crate::config::{Config, TRUST, description};
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
    NeedsRestart(Vec<String>),
    /// None of its sources gave a key in time.
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
}

impl InUse {
    /// Reloads at each SIGHUP, for ever.
    pub async fn reload_at(mut self, mut hangups: Signal, origin: Origin) {
        while hangups.recv().await.is_some() {
            tracing::info!("SIGHUP: reading the configuration and its files again");
            self.lasting.secrets.reload().await;
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

/// The names of what differs and cannot be taken over.
fn needs_restart(before: &Config, after: &Config) -> Vec<String> {
    let told = before.token_server.is_some();
    let description = description();
    let mut fixed = before.settings.differing(&after.settings);
    fixed.retain(|name| !is_taken_over(&description, name, told));
    // They are told the most clock skew as well, which a table may grant too.
    if told && before.trust.max_leeway() != after.trust.max_leeway() {
        fixed.push(TRUST.leeway.to_owned());
    }
    fixed
}

/// Any setting that is not described so takes a restart. Token-servers are told the budget once.
fn is_taken_over(description: &Program, name: &str, told: bool) -> bool {
    match description.reload(name) {
        Some(Reload::TakenOver) => true,
        // Whether the leeway that they are told differs is looked at beside this.
        Some(Reload::TakenOverUnless(_)) => !told || name == TRUST.leeway,
        Some(Reload::NeedsRestart) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(more: &[(&str, &str)]) -> Config {
        let variables = [("JWT_JWKS_FILE", "/k")].iter().chain(more);
        let variables = variables.map(|(name, value)| ((*name).into(), (*value).into()));
        Config::load(variables, None, None).unwrap()
    }

    #[test]
    fn every_setting_takes_a_restart_unless_it_is_described_as_taken_over() {
        let known = load(&[]).settings.known();
        let description = description();
        let fixed = |told| {
            let names = known.iter().filter(|name| !is_taken_over(&description, name, told));
            names.map(String::as_str).collect::<Vec<_>>()
        };
        let without = [
            "JWT_ADMIN_LISTEN",
            "JWT_AGENT_LISTEN",
            "JWT_CACHE_TTL",
            "JWT_CACHE_TTL_MAX",
            "JWT_DECISIONS",
            "JWT_DPOP_NONCE_SECRET_FILE",
            "JWT_DPOP_REPLAY",
            "JWT_DPOP_REPLAY_SIZE",
            "JWT_EDGE_LEASES",
            "JWT_EDGE_MAP",
            "JWT_EDGE_SIZE",
            "JWT_EDGE_SOCKETS",
            "JWT_EDGE_TTL",
            "JWT_HAPROXY_SOCKET",
            "JWT_PROFILE",
            "JWT_STREAMS_GRACE",
            "JWT_STREAMS_SIZE",
            "JWT_TOKEN_SERVER_BACKEND",
            "JWT_TOKEN_SERVER_CA_FILE",
            "JWT_TOKEN_SERVER_CERT_FILE",
            "JWT_TOKEN_SERVER_KEY_FILE",
            "JWT_TOKEN_SERVER_TOKEN_FILE",
        ];
        assert_eq!(
            fixed(false),
            without,
            "a new setting takes a restart, unless it is shown here that it is taken over"
        );
        let mut with: Vec<_> = without.into_iter().chain(["JWT_TIMEOUT_MS"]).collect();
        with.sort_unstable();
        assert_eq!(fixed(true), with);
    }

    #[test]
    fn what_differs_is_refused_by_name_and_what_is_taken_over_is_not() {
        let server = ("JWT_TOKEN_SERVER_BACKEND", "http://127.0.0.1:1");
        for (before, after, expected) in [
            (
                &[][..],
                &[("JWT_AUDIENCES", "a"), ("JWT_CACHE_SIZE", "1"), ("JWT_TIMEOUT_MS", "9")][..],
                &[][..],
            ),
            (&[], &[("JWT_CACHE_TTL", "1"), server], &["JWT_CACHE_TTL", "JWT_TOKEN_SERVER_BACKEND"]),
            (&[server], &[], &["JWT_TOKEN_SERVER_BACKEND"]),
            (&[server], &[server, ("JWT_TIMEOUT_MS", "9")], &["JWT_TIMEOUT_MS"]),
            (&[server], &[server, ("JWT_LEEWAY", "9")], &["JWT_LEEWAY"]),
            (&[server, ("JWT_LEEWAY", "9")], &[server, ("JWT_LEEWAY", "9"), ("JWT_ISSUERS", "i")], &[]),
        ] {
            assert_eq!(needs_restart(&load(before), &load(after)), expected, "{before:?} {after:?}");
        }
    }
}
