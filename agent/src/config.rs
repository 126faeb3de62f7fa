//! What an operator can set, read once into types.
//!
//! The only place of the agent that knows the names of environment variables. What it cannot use is a fault with a
//! name, a cause and a cure; it never falls back to something weaker in silence.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use jose::{Opaque, Profile, Trust};
use keys::KeySources;
use keys::trust::{Flat, IssuerKeys, Preset};
use revocation::lease::Terms;
use service::sample::LogLines;
use service::settings::{ConfigError, Environment, Settings};

mod description;
mod dpop;
mod edge;
mod mcp;
mod names;
mod ranges;
mod token_server;

pub use description::description;
pub use dpop::DpopConfig;
pub(crate) use dpop::NONCE_SECRET_FILE;
pub(crate) use names::TRUST;
use names::{OPAQUE_TIMEOUT_MS, PREFIX};
use ranges::{CACHE_TTL, TIMEOUT_MS, TOKEN_BYTES, usual_token_bytes, within};
pub use token_server::{IdentityFiles, TokenServerConfig, TokenServers};

use crate::answer::Variables;
use crate::answer::told::Decisions;
use crate::cache::Limits;
use crate::haproxy::cfg::HaproxyCfg;
use crate::haproxy::edge::EdgeConfig;
use crate::listen::Address;
use crate::mcp::Rows;
use crate::request::CertificateForm;
use crate::streams::StreamsConfig;

/// What `JWT_ADMIN_LISTEN` is where it is not set.
pub const ADMIN_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// The agent's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where HAProxy connects.
    pub listen: Vec<Address>,
    /// Where health and metrics are asked.
    pub admin_listen: SocketAddr,
    /// Where keys come from.
    pub keys: KeySources,
    /// Whom we trust, and for what.
    pub trust: Trust,
    /// Which policy judges which call of the Model Context Protocol.
    pub mcp: Rows,
    /// How certificates of clients are told.
    pub certificates: CertificateForm,
    /// How proofs of possession are judged.
    pub dpop: DpopConfig,
    /// Accepted `Authorization` schemes.
    pub schemes: Vec<String>,
    /// Longer tokens are refused.
    pub max_token_bytes: usize,
    /// What is sent to HAProxy.
    pub variables: Variables,
    /// Claims that become variables; absent: all at the top level.
    pub claims: Option<Vec<String>>,
    /// How many verdicts are kept.
    pub cache: Limits,
    /// How long a token-server's word may be used again.
    pub terms: Terms,
    /// The budget of one verification.
    pub timeout: Duration,
    /// The same for opaque tokens.
    pub opaque_timeout: Duration,
    /// The servers that are asked about revocation, and about encrypted and opaque tokens.
    pub token_server: Option<TokenServerConfig>,
    /// The HAProxys that are given verdicts.
    pub edge: Option<EdgeConfig>,
    /// How open streams are looked after.
    pub streams: Option<StreamsConfig>,
    /// Which refusals are logged.
    pub log_refusals: LogLines,
    /// Which decisions token-servers are told.
    pub decisions: Decisions,
    /// What an operator should know though it is no fault.
    pub warnings: Vec<String>,
    /// What was set, to be compared when it is read again.
    pub settings: Settings,
}

impl Config {
    /// Reads the configuration from `environment` (and the file that `JWT_CONFIG` names), on top of it the `setenv`
    /// lines of `haproxy_cfg`, as a `program` section would have inherited them. With `keys`, that file is every
    /// issuer's only source.
    ///
    /// # Errors
    ///
    /// Every fault, by name.
    pub fn load(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        haproxy_cfg: Option<&HaproxyCfg>,
        keys: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        Self::read(Environment::of(environment), haproxy_cfg, keys)
    }

    /// The same where the command line may name the file of settings.
    ///
    /// # Errors
    ///
    /// Every fault, by name.
    pub fn read(
        environment: Environment,
        haproxy_cfg: Option<&HaproxyCfg>,
        keys: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        Self::understand(Self::collect(environment, haproxy_cfg)?, haproxy_cfg, keys)
    }

    /// Collects the settings, which are still to be understood.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn collect(
        environment: Environment,
        haproxy_cfg: Option<&HaproxyCfg>,
    ) -> Result<Settings, ConfigError> {
        let environment = match haproxy_cfg {
            Some(cfg) => {
                let applied = cfg.apply_to(environment.variables);
                let applied =
                    applied.map_err(|error| ConfigError::one("--haproxy-cfg", error.to_string()))?;
                Environment { config: environment.config, ..applied }
            }
            None => environment,
        };
        Settings::read(PREFIX, TRUST.config, environment)
    }

    /// What was collected.
    ///
    /// # Errors
    ///
    /// Every fault, by name.
    pub fn understand(
        mut settings: Settings,
        haproxy_cfg: Option<&HaproxyCfg>,
        keys: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        if let [first, others @ ..] = settings.service_links() {
            warnings.push(format!(
                "{first} and {} more are what Kubernetes writes about a Service, and are no settings; \
                 enableServiceLinks: false keeps them out",
                others.len()
            ));
        }
        let preset: Preset = settings.parse("JWT_PROFILE", Preset::EXPECTED).unwrap_or_default();
        let profile = preset.profile;
        let timeout = within(&mut settings, "JWT_TIMEOUT_MS", TIMEOUT_MS, "milliseconds");
        let timeout = Duration::from_millis(timeout.unwrap_or(80));
        let opaque_timeout = within(&mut settings, OPAQUE_TIMEOUT_MS, TIMEOUT_MS, "milliseconds");
        let opaque_timeout = opaque_timeout.map_or(timeout, Duration::from_millis);
        let token_server = token_server::read(&mut settings, timeout);
        let decisions = token_server::decisions(&mut settings, token_server.is_some());
        let (dpop, has_proofs) = dpop::read(&mut settings);
        let flat = Flat::read(&mut settings, TRUST, preset);
        let flat = if has_proofs { flat.offering_proofs(dpop.settings.rules.algorithms) } else { flat };
        let trusted = trusted(&mut settings, flat, keys, token_server.is_some());
        judge_opaque(&mut settings, trusted.as_ref().map(|(trust, _)| trust), token_server.is_some());
        let mcp = mcp::read(&mut settings, trusted.as_ref().map(|(trust, _)| trust));
        let cache = cache(&mut settings);
        let terms = terms(&mut settings);
        let listen = settings.parse_list("JWT_AGENT_LISTEN", "host:port or unix@/path");
        let admin_listen = settings.parse("JWT_ADMIN_LISTEN", "address:port");
        let takes_proofs = trusted
            .as_ref()
            .is_some_and(|(trust, _)| trust.policies().iter().any(|policy| trust.takes_proofs(policy)));
        let schemes = settings.list("JWT_SCHEMES").unwrap_or_else(|| match profile {
            Profile::Standard if takes_proofs => vec!["JWT".into(), "Bearer".into(), "DPoP".into()],
            Profile::Standard => vec!["JWT".into(), "Bearer".into()],
            Profile::MsUsers => vec!["JWT".into()],
        });
        let certificates = settings.word("JWT_CLIENT_CERT", CertificateForm::WORDS).unwrap_or_default();
        let max_token_bytes = within(&mut settings, "JWT_MAX_TOKEN_BYTES", TOKEN_BYTES, "bytes");
        let variables = variables(&mut settings, haproxy_cfg);
        let (edge, streams) = edge::read(&mut settings, terms, cache, &variables);
        let claims = settings.list("JWT_CLAIMS");
        let keys = KeySources::read(&mut settings, &TRUST, profile, Vec::new());
        let log_refusals = settings.word("JWT_LOG_REFUSALS", LogLines::WORDS).unwrap_or_default();
        settings.finish()?;
        // A fault is recorded wherever this is absent, so that `finish` has returned it.
        let Some((trust, issuers)) = trusted else {
            return Err(ConfigError::one("JWT_JWKS_FILE", "no source of keys is configured"));
        };
        if trust.profile() == Profile::Standard && trust.accepts_any_audience() {
            warnings.push(
                "no audience is validated: a token that the issuer made for any other application is accepted; set JWT_AUDIENCES"
                    .to_owned(),
            );
        }
        warnings.extend(keys::trust::every_tenant_warning(&trust));
        if trust.ignores_binding() {
            warnings.push(
                "JWT_BINDING=ignore, or binding = \"ignore\" of [[issuers]]: a token that is bound to a key or a certificate (cnf) is accepted from any client"
                    .to_owned(),
            );
        }
        Ok(Self {
            listen: listen.unwrap_or_else(|| vec![Address::fallback()]),
            admin_listen: admin_listen.unwrap_or(ADMIN_LISTEN),
            keys: KeySources { issuers, ..keys },
            trust,
            mcp,
            certificates,
            dpop,
            schemes,
            max_token_bytes: max_token_bytes.unwrap_or_else(|| usual_token_bytes(profile)),
            variables,
            claims,
            cache,
            terms,
            timeout,
            opaque_timeout,
            token_server,
            edge,
            streams,
            log_refusals,
            decisions,
            warnings,
            settings,
        })
    }
}

/// The flat settings and the tables of the file. With `keys`, that file is every issuer's only source.
fn trusted(
    settings: &mut Settings,
    flat: Flat,
    keys: Option<&Path>,
    has_token_server: bool,
) -> Option<(Trust, Vec<IssuerKeys>)> {
    let given = keys.map(|file| IssuerKeys { file: Some(file.into()), ..IssuerKeys::default() });
    let flat = match &given {
        None if !flat.is_keyless(settings) => flat,
        // Encrypted tokens are the token-server's.
        None if has_token_server && flat.policy.profile == Profile::MsUsers => {
            return flat.without_keys(settings);
        }
        None => {
            let what = "no key source: set it, JWT_JWKS_URL or JWT_OIDC_ISSUERS, or write [[issuers]] tables in JWT_CONFIG";
            settings.fault(TRUST.file, what);
            return None;
        }
        Some(given) if flat.is_keyless(settings) => Flat { keys: given.clone(), ..flat },
        Some(_) => flat,
    };
    let (trust, sources) = keys::trust::read(settings, flat)?;
    let sources = sources.into_iter().map(|own| given.clone().unwrap_or(own)).collect();
    Some((trust, sources))
}

/// Without a token-server nothing knows an opaque token.
fn judge_opaque(settings: &mut Settings, trust: Option<&Trust>, has_token_server: bool) {
    let Some(trust) = trust else { return };
    let introspects = trust.policies().iter().any(|policy| policy.opaque == Opaque::Introspect);
    if introspects && !has_token_server {
        let what = "introspect has a token-server asked, and none is set: set JWT_TOKEN_SERVER_BACKEND, or leave it out, of [[policies]] \
                    too";
        settings.fault(TRUST.opaque, what);
    }
}

fn variables(settings: &mut Settings, haproxy_cfg: Option<&HaproxyCfg>) -> Variables {
    const NAME: &str = "JWT_VARIABLES";
    let Some(items) = settings.list(NAME) else {
        return Variables::All;
    };
    let items: Vec<_> = items.iter().map(String::as_str).collect();
    match items.as_slice() {
        ["all"] => Variables::All,
        ["auto"] => match haproxy_cfg {
            Some(cfg) => Variables::Only(cfg.variables()),
            None => {
                settings.fault(NAME, "auto needs --haproxy-cfg FILE");
                Variables::All
            }
        },
        names => {
            if let Some(stranger) = names.iter().find(|name| !Variables::is_name(name)) {
                let what = format!(
                    "{stranger} is not a variable; expected all, auto, or names such as reason,body,payload.sub"
                );
                settings.fault(NAME, what);
            }
            Variables::Only(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
        }
    }
}

fn cache(settings: &mut Settings) -> Limits {
    Limits {
        entries: settings.parse("JWT_CACHE_SIZE", "a number of verdicts").unwrap_or(100_000),
        bytes: settings.parse("JWT_CACHE_BYTES", "bytes").unwrap_or(256 * 1024 * 1024),
    }
}

fn terms(settings: &mut Settings) -> Terms {
    const MAX: &str = "JWT_CACHE_TTL_MAX";
    let ttl = within(settings, "JWT_CACHE_TTL", CACHE_TTL, "seconds").unwrap_or(2);
    let ttl_max = within(settings, MAX, CACHE_TTL, "seconds");
    if ttl_max.is_some_and(|most| most < ttl) {
        settings.fault(MAX, "is below JWT_CACHE_TTL, the time that holds even when no token-server is heard");
    }
    Terms {
        ttl: Duration::from_secs(ttl),
        ttl_max: Duration::from_secs(ttl_max.unwrap_or_else(|| ttl.max(300))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
