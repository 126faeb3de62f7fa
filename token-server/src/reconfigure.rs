//! What SIGHUP does beside reading files again: reads the configuration again, and puts all of it in use or nothing of it.
//!
//! Forward-auth and the verification keys are made anew and swapped whole; a source of keys that is in both
//! configurations keeps its last good ones. Listeners, the store and what is known of rules live as long as the process.

use std::ffi::OsString;
use std::sync::Arc;

use keys::{KeyRing, LiveKeys, NoKeys};
use service::settings::{ConfigError, Settings};

use crate::api::{App, InUse};
use crate::config::{self, Config};
use crate::trust::Trusted;
use crate::verify::VerifyMetrics;

/// How the names of those settings begin that can change in a running server.
const CHANGEABLE: [&str; 2] = ["TOKEN_SERVER__VERIFY__", "TOKEN_SERVER__JWKS__"];

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
    environment: Vec<(OsString, OsString)>,
    settings: Settings,
}

impl Origin {
    /// Reads the settings, which are still to be understood.
    ///
    /// # Errors
    /// There is a file of settings, and it cannot be read.
    pub(crate) fn read(environment: Vec<(OsString, OsString)>) -> Result<Self, ConfigError> {
        let settings = config::settings(environment.iter().cloned())?;
        Ok(Self { environment, settings })
    }

    /// What the settings say.
    ///
    /// # Errors
    /// All faults together.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        Config::read(self.settings.clone())
    }
}

/// Replaces what can be replaced in a running server.
pub(crate) struct Reconfigure {
    pub(crate) origin: Origin,
    pub(crate) keys: LiveKeys,
    pub(crate) metrics: VerifyMetrics,
    pub(crate) app: Arc<App>,
}

/// What a configuration trusts and how it answers proxies, over the keys of its issuers.
pub(crate) fn in_use(verify: config::Verify, metrics: &VerifyMetrics, keys: &Arc<KeyRing>) -> InUse {
    InUse::new(Trusted::new(verify.trust, keys), verify.forward_auth, metrics.clone())
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
        fixed.retain(|name| !CHANGEABLE.iter().any(|begin| name.starts_with(begin)));
        if !fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(fixed));
        }
        let keys = self.keys.successor(config.keys.configured, config.keys.sources).await?;
        // The tokens that were verified by other policies go with them.
        let in_use = config.verify.map(|verify| in_use(verify, &self.metrics, keys.ring()));
        if let Some(in_use) = &in_use {
            in_use.trusted.warn_of_open_doors();
        }
        self.app.in_use.store(in_use.map(Arc::new));
        std::mem::replace(&mut self.keys, keys).give_way(&self.keys).await;
        self.origin = origin;
        Ok(())
    }
}
