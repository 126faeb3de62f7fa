//! What SIGHUP does beside reading files again: reads the configuration again, and puts all of it in use or nothing of it.
//!
//! Forward-auth and the verification keys are made anew and swapped whole; a source of keys that is in both
//! configurations keeps its last good ones. Listeners, the store and what is known of rules live as long as the process.

use std::sync::Arc;

use keys::{KeyRing, LiveKeys, NoKeys};
use service::description::{InUse as InUseSettings, Program, Reload};
use service::settings::{ConfigError, Environment, Settings};

use crate::api::{App, InUse};
use crate::config::{self, Config, description};
use crate::signals::{self, Signals, Streams};
use crate::trust::Trusted;
use crate::verify::{Possession, ProofMemory, ProofTerms, VerifyMetrics};

/// Why a configuration was not put in use; the one before stays.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Settings(#[from] ConfigError),
    #[error("only a restart can change {}", .0.join(", "))]
    NeedsRestart(Vec<String>),
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
}

/// Where the configuration is read from, each time, and what it said when it was put in use.
pub(crate) struct Origin {
    environment: Environment,
    settings: Settings,
}

impl Origin {
    /// Reads the settings, which are still to be understood.
    ///
    /// # Errors
    /// There is a file of settings, and it cannot be read.
    pub(crate) fn read(environment: Environment) -> Result<Self, ConfigError> {
        let settings = config::settings(environment.clone())?;
        Ok(Self { environment, settings })
    }

    /// What the settings say.
    ///
    /// # Errors
    /// All faults together.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        Config::read(&mut self.settings.clone())
    }

    /// Every setting as it is in use, with what is wrong with it.
    pub(crate) fn in_use(&self) -> (InUseSettings, Option<ConfigError>) {
        let faults = self.config().err();
        let faulty = faults.iter().flat_map(ConfigError::names).map(str::to_owned).collect();
        let version = env!("CARGO_PKG_VERSION");
        (InUseSettings::new(&description(), version, &self.settings, &faulty), faults)
    }
}

/// Replaces what can be replaced in a running server.
pub(crate) struct Reconfigure {
    pub(crate) origin: Origin,
    pub(crate) keys: LiveKeys,
    pub(crate) metrics: VerifyMetrics,
    pub(crate) proofs: ProofMemory,
    pub(crate) app: Arc<App>,
    /// What providers may tell; absent without a listener for it, which only a restart can change.
    pub(crate) signals: Option<Arc<Signals>>,
    pub(crate) streams: Option<Streams>,
}

/// What a configuration trusts and how it answers proxies, over the keys of its issuers and the proofs that were used.
pub(crate) fn in_use(
    verify: config::Verify,
    proofs: &ProofTerms,
    memory: &ProofMemory,
    metrics: &VerifyMetrics,
    keys: &Arc<KeyRing>,
) -> InUse {
    let possession = Possession::new(proofs, memory, metrics.clone());
    InUse::new(Trusted::new(verify.trust, keys), verify.forward_auth, possession, metrics.clone())
}

impl Reconfigure {
    /// Reads the configuration again; what came of it stands in the log and is counted.
    pub(crate) async fn again(&mut self) {
        let outcome = match self.reload().await {
            Ok(()) => {
                tracing::info!("the new configuration is in use");
                "applied"
            }
            Err(error) => {
                tracing::error!(%error, "the configuration was not reloaded; the one before stays in use");
                "refused"
            }
        };
        self.app.metrics.count_reload(outcome);
    }

    async fn reload(&mut self) -> Result<(), ReloadError> {
        let origin = Origin::read(self.origin.environment.clone())?;
        let config = origin.config()?;
        let mut fixed = self.origin.settings.differing(&origin.settings);
        let description = description();
        fixed.retain(|name| !is_taken_over(&description, name));
        if !fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(fixed));
        }
        let signals = config.signals.clone();
        let keys = self.keys.successor(config.keys.configured, config.keys.sources).await?;
        let signals_in_use = signals.map(|settings| signals::InUse::new(settings, keys.ring()));
        if let Some((signals, in_use)) = self.signals.as_deref().zip(signals_in_use) {
            signals.replace(in_use);
        }
        if let Some(streams) = &mut self.streams {
            streams.again();
        }
        // The tokens that were verified by other policies go with them.
        let in_use = config
            .verify
            .map(|verify| in_use(verify, &config.proofs, &self.proofs, &self.metrics, keys.ring()));
        if let Some(in_use) = &in_use {
            in_use.trusted.warn_of_open_doors();
        }
        self.app.basis.opaque.replace(config.introspection, keys.ring());
        self.app.in_use.store(in_use.map(Arc::new));
        std::mem::replace(&mut self.keys, keys).give_way(&self.keys).await;
        self.origin = origin;
        Ok(())
    }
}

/// Any setting that is not described so takes a restart.
fn is_taken_over(description: &Program, name: &str) -> bool {
    description.reload(name) == Some(Reload::TakenOver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_takes_a_restart_unless_it_is_described_as_taken_over() {
        let mut settings = config::settings(Environment::default()).unwrap();
        // Without a single setting there is nothing to decide with; the names are known all the same.
        _ = Config::read(&mut settings);
        let known = settings.known();
        let description = description();
        let fixed: Vec<_> =
            known.iter().filter(|name| !is_taken_over(&description, name)).map(String::as_str).collect();
        assert_eq!(
            fixed, FIXED,
            "a new setting takes a restart, unless it is shown here that it is taken over"
        );
    }

    const FIXED: [&str; 38] = [
        "TOKEN_SERVER__ADMIN__LISTEN",
        "TOKEN_SERVER__ADMIN__SOCKET",
        "TOKEN_SERVER__ADMIN__TOKENS_FILE",
        "TOKEN_SERVER__ADMIN__UI",
        "TOKEN_SERVER__AGENT__TOKENS_FILE",
        "TOKEN_SERVER__API_KEYS__FILE",
        "TOKEN_SERVER__API_KEYS__ISSUER",
        "TOKEN_SERVER__AUDIT__KEEP",
        "TOKEN_SERVER__AUDIT__MAX",
        "TOKEN_SERVER__CACHE__BYTES",
        "TOKEN_SERVER__CACHE__TTL",
        "TOKEN_SERVER__COMPAT__ENABLED",
        "TOKEN_SERVER__COMPAT__OPEN",
        "TOKEN_SERVER__CONSUL__URL",
        "TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE",
        "TOKEN_SERVER__INTROSPECTION__CACHE_SIZE",
        "TOKEN_SERVER__JWE__KEYS_FILE",
        "TOKEN_SERVER__LISTEN",
        "TOKEN_SERVER__PREVIEW__SUBJECTS",
        "TOKEN_SERVER__PROFILE",
        "TOKEN_SERVER__REDIS__ACCEPT_EVICTION",
        "TOKEN_SERVER__REDIS__CA_FILE",
        "TOKEN_SERVER__REDIS__MASTER",
        "TOKEN_SERVER__REDIS__MIN_REPLICAS",
        "TOKEN_SERVER__REDIS__MODE",
        "TOKEN_SERVER__REDIS__PREFIX",
        "TOKEN_SERVER__REDIS__URLS",
        "TOKEN_SERVER__REVOKE__CLIENTS_FILE",
        "TOKEN_SERVER__SIGNALS__LISTEN",
        "TOKEN_SERVER__STORE__MAX_STALE",
        "TOKEN_SERVER__STORE__NEW",
        "TOKEN_SERVER__STORE__PATH",
        "TOKEN_SERVER__TLS__CERT",
        "TOKEN_SERVER__TLS__CLIENT_CA",
        "TOKEN_SERVER__TLS__KEY",
        "TOKEN_SERVER__VERIFY__DPOP_NONCE_SECRET_FILE",
        "TOKEN_SERVER__VERIFY__DPOP_REPLAY",
        "TOKEN_SERVER__VERIFY__DPOP_REPLAY_SIZE",
    ];
}
