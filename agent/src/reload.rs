//! What SIGHUP does: reads the configuration and its files again, and puts all of it in use or nothing of it.
//!
//! Listeners, token-servers and what they have told live as long as the process. Keys, policies, kept verdicts and what is
//! sent to HAProxy are made anew and swapped whole. A source that is in both configurations keeps its last good keys.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keys::{KeyRing, LiveKeys, NoKeys};
use revocation::lease::SharedLease;
use service::background::Background;
use service::readiness::Readiness;
use service::settings::{ConfigError, glance};
use tokio::signal::unix::Signal;

use crate::cache::VerdictCache;
use crate::config::{ADMIN_LISTEN, Config, TokenServerConfig};
use crate::current::Current;
use crate::haproxy_cfg::{CfgError, HaproxyCfg};
use crate::metrics::{ByOutcome, Metrics};
use crate::responder::Responder;
use crate::run::{StartError, check_key_files, key_sources};
use crate::token_server::TokenServer;
use crate::verifier::Verifier;

/// Where the configuration is read from, each time.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The process's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The file of `--haproxy-cfg`.
    pub haproxy_cfg: Option<PathBuf>,
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The file of `--haproxy-cfg` cannot be read.
    #[error("--haproxy-cfg {path}: {error}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It cannot be understood.
    #[error("--haproxy-cfg {path}: {error}", path = .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, and why not.
        error: CfgError,
    },
    /// A setting is faulty.
    #[error(transparent)]
    Settings(#[from] ConfigError),
}

impl Origin {
    /// The file of `--haproxy-cfg`, if there is one.
    ///
    /// # Errors
    ///
    /// It cannot be read or understood.
    pub fn haproxy_cfg(&self) -> Result<Option<HaproxyCfg>, OriginError> {
        let read = |path: &Path| {
            let text = fs::read_to_string(path)
                .map_err(|error| OriginError::File { path: path.to_owned(), error })?;
            HaproxyCfg::parse(&text).map_err(|error| OriginError::Line { path: path.to_owned(), error })
        };
        self.haproxy_cfg.as_deref().map(read).transpose()
    }

    /// Where the agent that runs answers questions about itself, as far as the configuration can be read: it may be faulty
    /// by now, which does not stop an agent that runs.
    pub fn admin_listen(&self) -> String {
        let cfg = self.haproxy_cfg.as_deref().and_then(|path| fs::read_to_string(path).ok());
        let environment = match cfg {
            Some(text) => HaproxyCfg::apply_readable(&text, &self.environment),
            None => self.environment.clone(),
        };
        glance("JWT_ADMIN_LISTEN", "JWT_CONFIG", &environment).unwrap_or_else(|| ADMIN_LISTEN.to_string())
    }

    /// The configuration as it stands there now.
    ///
    /// # Errors
    ///
    /// What cannot be read, or every faulty setting.
    pub fn load(&self) -> Result<Config, OriginError> {
        let cfg = self.haproxy_cfg()?;
        Ok(Config::load(self.environment.iter().cloned(), cfg.as_ref(), None)?)
    }
}

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

/// What a reload leaves as it is.
#[derive(Debug, Clone)]
pub(crate) struct Lasting {
    pub token_server: Option<TokenServer>,
    pub lease: Arc<SharedLease>,
    pub readiness: Readiness,
    pub metrics: Arc<Metrics>,
    pub background: Background,
}

impl Lasting {
    /// Who answers by this configuration.
    pub(crate) fn responder(&self, config: &Config, ring: &Arc<KeyRing>) -> Responder {
        let verifier = Verifier::new(
            Arc::clone(ring),
            config.trust.clone(),
            config.schemes.clone(),
            config.max_token_bytes,
            self.token_server.clone(),
        );
        Responder::new(
            verifier,
            VerdictCache::new(config.cache, Arc::clone(&self.lease)),
            config.variables.clone(),
            config.claims.clone(),
            config.timeout,
            self.readiness.clone(),
            Arc::clone(&self.metrics),
        )
        .logging(config.log_refusals)
    }
}

/// Replaces what can be replaced in a running agent.
#[derive(Debug)]
pub struct Reloader {
    pub(crate) config: Config,
    pub(crate) keys: LiveKeys,
    pub(crate) lasting: Lasting,
    pub(crate) current: Arc<Current>,
}

impl Reloader {
    /// Reloads at each signal, for ever.
    pub async fn run(mut self, mut hangups: Signal, origin: Origin) {
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
        self.current.replace(self.lasting.responder(&config, keys.ring()));
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
