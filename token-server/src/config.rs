//! Settings, parsed once at start. `TOKEN_SERVER__SECTION__KEY`, over the TOML file that `TOKEN_SERVER_CONFIG` names.

pub(crate) mod api_keys;
mod description;
mod dpop;
pub(crate) mod introspection;
pub(crate) mod keys;
mod names;
mod places;
pub(crate) mod signals;
pub(crate) mod ssf;
#[cfg(test)]
mod tests;
pub(crate) mod verify;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ::keys::trust::Preset;
use jose::Profile;
use reqwest::Url;
use service::secret_file::{NamedFile, SecretFile};
use service::settings::{ConfigError, Environment, Settings};

use crate::api::Compat;
use crate::api_keys::ApiKeys;
use crate::bearer::{BearerTokens, TokensFile};
use crate::caller::{AdminTokens, AdminTokensFile};
use crate::encrypted::{DecryptionKeysFile, decryption_keys};
use crate::rulebook::{self, Lifetimes};
use crate::store::redis::{Authorities, RedisMode, RedisModeName, RedisSettings, RedisSettingsError};
use crate::tls::{CERT as TLS_CERT, CLIENT_CA as TLS_CLIENT_CA, KEY as TLS_KEY, Tls, TlsFiles};
use crate::verify::ProofTerms;

pub(crate) use api_keys::FILE as API_KEYS_FILE;
pub use description::description;
pub use introspection::Introspection;
pub use keys::Keys;
use names::*;
pub(crate) use names::{ADMIN_LISTEN, ADMIN_LISTEN_FALLBACK, ADMIN_SOCKET, CONFIG};
pub use signals::Signals;
pub(crate) use verify::MAX_TOKEN_BYTES;
pub use verify::Verify;

/// Everything that an operator can choose.
#[derive(Debug, Clone)]
pub struct Config {
    /// `TOKEN_SERVER__LISTEN`: where agents and old callers ask.
    pub listen: ListenAddress,
    /// `TOKEN_SERVER__ADMIN__LISTEN`: rules API, metrics.
    pub admin_listen: ListenAddress,
    /// `TOKEN_SERVER__ADMIN__SOCKET`: the same on a unix socket, for users who may open it.
    pub admin_socket: Option<PathBuf>,
    /// `TOKEN_SERVER__ADMIN__TOKENS_FILE`: who may use the rules API over TCP; no client when unset.
    pub admin_tokens: Option<Arc<AdminTokensFile>>,
    /// `TOKEN_SERVER__ADMIN__UI`: whether operators get a page at `/ui/`.
    pub admin_page: bool,
    /// `TOKEN_SERVER__AGENT__TOKENS_FILE`: who may ask `/v1/check`; every client when unset.
    pub agent_tokens: Option<Arc<TokensFile>>,
    /// `TOKEN_SERVER__TLS__CERT`, `__KEY`, `__CLIENT_CA`: what the TCP listeners show and ask; plain HTTP when unset.
    pub tls: Option<Arc<Tls>>,
    /// `TOKEN_SERVER__TLS__CLIENT_CA`: whether only clients with a certificate can connect.
    pub asks_for_certificates: bool,
    /// `TOKEN_SERVER__JWE__KEYS_FILE`: private and secret keys; without it encrypted tokens are refused.
    pub jwe_keys: Option<Arc<DecryptionKeysFile>>,
    /// `TOKEN_SERVER__API_KEYS__*`: tokens that this server itself made; absent without a file of them.
    pub api_keys: Option<ApiKeys>,
    /// `TOKEN_SERVER__JWKS__*`, `[[issuers]]`: verification keys.
    pub keys: Keys,
    /// `TOKEN_SERVER__VERIFY__*`: forward-auth; absent when no issuer is trusted.
    pub verify: Option<Verify>,
    /// `TOKEN_SERVER__VERIFY__DPOP_*`: what clients of bound tokens prove at forward-auth.
    pub proofs: ProofTerms,
    /// `TOKEN_SERVER__INTROSPECTION__*`, `[[introspection]]`: who is asked about opaque tokens.
    pub introspection: Introspection,
    /// `TOKEN_SERVER__SIGNALS__*`, `[[signals]]`: what identity providers may tell; absent without a listener for it.
    pub signals: Option<Signals>,
    /// Where rules live.
    pub store: StoreSettings,
    /// `TOKEN_SERVER__STORE__NEW`: whether the embedded store may begin without the rules that it had.
    pub store_new: bool,
    /// How long rules may be used that were read from Redis.
    pub lifetimes: Lifetimes,
    /// `TOKEN_SERVER__CACHE__BYTES`: memory for rules other than everybody's.
    pub cache_bytes: u64,
    /// `TOKEN_SERVER__AUDIT__*`: how long the audit trail is.
    pub audit: Audit,
    /// `TOKEN_SERVER__PROFILE`: the preset of the agents that ask.
    pub profile: Profile,
    /// `TOKEN_SERVER__COMPAT__ENABLED`, `__OPEN`: whom `POST /` answers.
    pub compat: Compat,
    /// `TOKEN_SERVER__PREVIEW__SUBJECTS`: how many subjects' last claims are remembered to preview rules; 0 = none.
    pub preview_subjects: usize,
}

impl Config {
    /// Reads the settings from environment variables, given as pairs.
    ///
    /// # Errors
    /// All faults together, by name and without values.
    pub fn from_environment(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        Self::read(&mut settings(Environment::of(environment))?)
    }

    /// Reads what was collected by [`settings`].
    ///
    /// # Errors
    /// All faults together, by name and without values.
    pub(crate) fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let preset: Preset = settings.parse(PROFILE, Preset::EXPECTED).unwrap_or_default();
        let profile = preset.profile;
        let jwe_keys = from_file(settings, JWE_KEYS_FILE, decryption_keys);
        let mut introspection = introspection::read(settings, profile);
        let api_keys = api_keys::read(settings, profile);
        let knows_opaque = api_keys.is_some() || !introspection.servers.is_empty();
        let (proofs, has_proofs) = dpop::read(settings);
        let offered = has_proofs.then_some(proofs.settings.rules.algorithms);
        let (verify, mut issuers) = verify::read(settings, preset, jwe_keys.is_some(), knows_opaque, offered);
        let signals = signals::read(settings, verify.as_ref(), issuers.len());
        // Behind those of the issuers: no access token is verified by them.
        issuers
            .extend(signals.iter().flat_map(|signals| &signals.streams).map(|stream| stream.sources.clone()));
        introspection.place_keys(&mut issuers);
        let config = Self {
            listen: address(settings, LISTEN, "127.0.0.1:4000"),
            admin_listen: address(settings, ADMIN_LISTEN, ADMIN_LISTEN_FALLBACK),
            admin_socket: settings.text(ADMIN_SOCKET).map(PathBuf::from),
            admin_tokens: from_file(settings, ADMIN_TOKENS_FILE, |file| {
                AdminTokens::parse(file).map_err(|error| error.to_string())
            }),
            admin_page: settings.flag(ADMIN_UI).unwrap_or(false),
            agent_tokens: from_file(settings, AGENT_TOKENS_FILE, |file| {
                BearerTokens::parse(file).map_err(|error| error.to_string())
            }),
            asks_for_certificates: settings.is_set(TLS_CLIENT_CA),
            tls: tls(settings),
            jwe_keys,
            introspection,
            api_keys,
            signals,
            verify,
            proofs,
            keys: keys::read(settings, issuers, profile),
            store: store(settings),
            store_new: settings.flag(STORE_NEW).unwrap_or(false),
            lifetimes: Lifetimes {
                ttl: seconds(settings, CACHE_TTL, 7),
                max_stale: seconds(settings, MAX_STALE, 30),
            },
            cache_bytes: settings.parse(CACHE_BYTES, "bytes").unwrap_or(rulebook::DEFAULT_BYTES),
            audit: audit(settings),
            profile,
            compat: compat(settings, profile),
            preview_subjects: preview_subjects(settings),
        };
        settings.finish()?;
        Ok(config)
    }
}

/// Collects the settings that variables name, over the file that one of them names.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn settings(environment: Environment) -> Result<Settings, ConfigError> {
    Settings::read(PREFIX, CONFIG, environment)
}

/// Where rules live.
#[derive(Clone)]
pub enum StoreSettings {
    /// `TOKEN_SERVER__STORE__PATH`: in a file of ours.
    Embedded(PathBuf),
    /// `TOKEN_SERVER__REDIS__*`: in Redis, whose writers tell of their changes in Consul at `TOKEN_SERVER__CONSUL__URL`.
    Redis {
        /// How Redis is reached.
        redis: RedisSettings,
        /// Where ms-users tells of its changes.
        consul: Option<Url>,
    },
}

impl fmt::Debug for StoreSettings {
    // A password in Consul's URL is a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(path) => out.debug_tuple("Embedded").field(path).finish(),
            Self::Redis { redis, consul } => {
                let consul = consul.as_ref().and_then(Url::host_str);
                out.debug_struct("Redis").field("redis", redis).field("consul", &consul).finish()
            }
        }
    }
}

/// How long the audit trail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// `TOKEN_SERVER__AUDIT__KEEP`: how long an entry is kept.
    pub keep: Duration,
    /// `TOKEN_SERVER__AUDIT__MAX`: how many entries are kept.
    pub max: u64,
}

/// `host:port`, resolved when it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress(String);

impl ListenAddress {
    /// As [`tokio::net::TcpListener::bind`] takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ListenAddress {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        let bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if host.is_empty() || bare_ipv6 || port.parse::<u16>().is_err() {
            return Err(());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn address(settings: &mut Settings, name: &'static str, default: &str) -> ListenAddress {
    settings.parse(name, "host:port").unwrap_or_else(|| ListenAddress(default.to_owned()))
}

fn seconds(settings: &mut Settings, name: &'static str, default: u32) -> Duration {
    let seconds = settings.parse(name, "a whole number of seconds").unwrap_or(default);
    Duration::from_secs(seconds.into())
}

fn audit(settings: &mut Settings) -> Audit {
    let expected =
        format!("expected a number of days from 1d to {MAX_AUDIT_DAYS}d, such as {DEFAULT_AUDIT_DAYS}d");
    let days = settings.text(AUDIT_KEEP).map(|text| {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        days.filter(|days| (1..=MAX_AUDIT_DAYS).contains(days)).unwrap_or_else(|| {
            settings.fault(AUDIT_KEEP, expected);
            DEFAULT_AUDIT_DAYS
        })
    });
    let days = days.unwrap_or(DEFAULT_AUDIT_DAYS);
    let max = settings.parse(AUDIT_MAX, "a number of entries").unwrap_or(DEFAULT_AUDIT_MAX);
    if !(1..=MAX_AUDIT_MAX).contains(&max) {
        settings.fault(AUDIT_MAX, format!("expected a number of entries from 1 to {MAX_AUDIT_MAX}"));
    }
    Audit { keep: Duration::from_secs(days.saturating_mul(24 * 60 * 60)), max }
}

/// Redis where it is configured, else the embedded store. A setting of the one that is not used is a fault: the operator who sets
/// it believes that rules are kept elsewhere.
fn store(settings: &mut Settings) -> StoreSettings {
    let path = settings.text(STORE_PATH);
    let urls = settings.list(REDIS_URLS);
    let mode = settings.word(REDIS_MODE, RedisModeName::WORDS).unwrap_or_default();
    let master = settings.text(REDIS_MASTER);
    let prefix = settings.text(REDIS_PREFIX).unwrap_or_else(|| "{ms-users}".to_owned());
    let min_replicas: u16 = settings.parse(REDIS_MIN_REPLICAS, "a number of replicas").unwrap_or(0);
    let authorities = from_file(settings, REDIS_CA_FILE, Authorities::parse);
    let accepts_eviction = settings.flag(REDIS_ACCEPT_EVICTION).unwrap_or(false);
    let consul = consul(settings);
    let Some(urls) = urls else {
        for name in [
            REDIS_MODE,
            REDIS_MASTER,
            REDIS_PREFIX,
            REDIS_MIN_REPLICAS,
            REDIS_ACCEPT_EVICTION,
            REDIS_CA_FILE,
            CONSUL_URL,
        ] {
            if settings.is_set(name) {
                settings.fault(name, format!("has no effect without {REDIS_URLS}"));
            }
        }
        return StoreSettings::Embedded(path.unwrap_or_else(|| "token-server.redb".to_owned()).into());
    };
    for name in [STORE_PATH, STORE_NEW] {
        if settings.is_set(name) {
            settings.fault(name, format!("has no effect beside {REDIS_URLS}: rules are kept in Redis"));
        }
    }
    let mode = match (mode, master) {
        (RedisModeName::Standalone, None) => RedisMode::Standalone,
        (RedisModeName::Cluster, None) => RedisMode::Cluster,
        (RedisModeName::Sentinel, Some(master)) => RedisMode::Sentinel { master },
        (RedisModeName::Sentinel, None) => {
            settings.fault(REDIS_MASTER, "is missing: the name under which the sentinels watch the master");
            RedisMode::Standalone
        }
        (RedisModeName::Standalone | RedisModeName::Cluster, Some(_)) => {
            settings.fault(REDIS_MASTER, format!("has no effect unless {REDIS_MODE} is sentinel"));
            RedisMode::Standalone
        }
    };
    match RedisSettings::new(mode, &urls, &prefix, min_replicas.into(), authorities) {
        Ok(redis) => {
            let redis = if accepts_eviction { redis.accepting_eviction() } else { redis };
            StoreSettings::Redis { redis, consul }
        }
        Err(error) => {
            let name = match error {
                RedisSettingsError::Url => REDIS_URLS,
                RedisSettingsError::NoHashTag => REDIS_PREFIX,
            };
            settings.fault(name, error.to_string());
            // Never used: a fault ends the start.
            StoreSettings::Embedded(PathBuf::new())
        }
    }
}

fn consul(settings: &mut Settings) -> Option<Url> {
    let url: Url = settings.parse(CONSUL_URL, "http://host:port or https://host:port")?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Some(url);
    }
    settings.fault(CONSUL_URL, "expected http://host:port or https://host:port");
    None
}

/// Only ms-users has callers of the old forms.
fn compat(settings: &mut Settings, profile: Profile) -> Compat {
    let enabled = settings.flag(COMPAT_ENABLED).unwrap_or(profile == Profile::MsUsers);
    let open = settings.flag(COMPAT_OPEN).unwrap_or(false);
    match (enabled, open) {
        (true, false) => Compat::Guarded,
        (true, true) => Compat::Open,
        (false, false) => Compat::Off,
        (false, true) => {
            settings.fault(COMPAT_OPEN, format!("has no effect: POST / is off; set {COMPAT_ENABLED}=true"));
            Compat::Off
        }
    }
}

fn preview_subjects(settings: &mut Settings) -> usize {
    let subjects = settings.parse(PREVIEW_SUBJECTS, "a whole number").unwrap_or(DEFAULT_PREVIEW_SUBJECTS);
    if subjects > MAX_PREVIEW_SUBJECTS {
        settings.fault(PREVIEW_SUBJECTS, format!("expected at most {MAX_PREVIEW_SUBJECTS}"));
    }
    subjects
}

fn from_file<T: Send + Sync + 'static>(
    settings: &mut Settings,
    name: &'static str,
    parse: fn(&[u8]) -> Result<T, String>,
) -> Option<Arc<SecretFile<T>>> {
    let path = settings.text(name)?;
    match SecretFile::one(NamedFile::new(name, path), parse) {
        Ok(file) => Some(Arc::new(file)),
        Err(fault) => {
            settings.fault(name, fault.why);
            None
        }
    }
}

fn tls(settings: &mut Settings) -> Option<Arc<Tls>> {
    let [cert, key, client_ca] = [TLS_CERT, TLS_KEY, TLS_CLIENT_CA].map(|name| settings.text(name));
    let (cert, key) = match (cert, key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, None) if client_ca.is_none() => return None,
        (cert, _) => {
            let missing = if cert.is_none() { TLS_CERT } else { TLS_KEY };
            settings
                .fault(missing, "is missing; a certificate, its key and client certificates belong together");
            return None;
        }
    };
    let files = TlsFiles { cert: cert.into(), key: key.into(), client_ca: client_ca.map(PathBuf::from) };
    files.load().map(Arc::new).map_err(|fault| settings.fault(&fault.setting, fault.why)).ok()
}
