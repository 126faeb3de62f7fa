//! `TOKEN_SERVER__INTROSPECTION__*` and the tables `[[introspection]]`: the authorization servers that are asked about opaque
//! tokens (RFC 7662).

mod answer_keys;
mod credentials;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ::keys::trust::{Fetch, FetchNames, IssuerKeys, ProxyChoice};
use ::keys::{Client, Configured, FetchFault, Surroundings, may_hear_secrets};
use jose::{Profile, SigningKey};
use reqwest::Url;
use service::secret::Secret;
use service::secret_file::SecretFile;
use service::settings::Settings;

pub(crate) use answer_keys::AnswerKeys;
pub(crate) use credentials::Authentication;

use super::signals::within;

pub(super) const ISSUER: &str = "TOKEN_SERVER__INTROSPECTION__ISSUER";
pub(super) const CACHE_SIZE: &str = "TOKEN_SERVER__INTROSPECTION__CACHE_SIZE";
pub(super) const CACHE_TTL: &str = "TOKEN_SERVER__INTROSPECTION__CACHE_TTL";
pub(super) const NEGATIVE_TTL: &str = "TOKEN_SERVER__INTROSPECTION__NEGATIVE_TTL";
pub(super) const TIMEOUT_MS: &str = "TOKEN_SERVER__INTROSPECTION__TIMEOUT_MS";
pub(super) const CONCURRENCY: &str = "TOKEN_SERVER__INTROSPECTION__CONCURRENCY";
pub(super) const RATE: &str = "TOKEN_SERVER__INTROSPECTION__RATE";
pub(super) const TOKEN_TYPES: &str = "TOKEN_SERVER__INTROSPECTION__TOKEN_TYPES";
pub(super) const ALLOW_UNTYPED: &str = "TOKEN_SERVER__INTROSPECTION__ALLOW_UNTYPED";

pub(super) const CACHE_TTLS: RangeInclusive<u64> = 0..=3_600;
pub(super) const NEGATIVE_TTLS: RangeInclusive<u64> = 0..=300;
pub(super) const TIMEOUTS: RangeInclusive<u64> = 50..=10_000;
pub(super) const PLACES: RangeInclusive<usize> = 1..=1_024;
pub(super) const RATES: RangeInclusive<u32> = 1..=100_000;
pub(super) const SIZES: RangeInclusive<usize> = 1..=10_000_000;

/// Answers that are kept, unless the operator says otherwise.
const DEFAULT_SIZE: usize = 100_000;

/// The settings of an authorization server, as one place has them.
pub(super) struct Names {
    pub(super) issuer: &'static str,
    pub(super) url: &'static str,
    pub(super) auth: &'static str,
    pub(super) client_id: &'static str,
    pub(super) client_secret_file: &'static str,
    pub(super) token_file: &'static str,
    pub(super) cert_file: &'static str,
    pub(super) key_file: &'static str,
    pub(super) key_id: &'static str,
    pub(super) signed: &'static str,
    pub(super) ca_file: &'static str,
    pub(super) origins: &'static str,
    pub(super) proxy: &'static str,
    cache_ttl: &'static str,
    negative_ttl: &'static str,
    timeout_ms: &'static str,
    concurrency: &'static str,
    rate: &'static str,
    token_types: &'static str,
    allow_untyped: &'static str,
}

pub(super) const FLAT: Names = Names {
    issuer: ISSUER,
    url: "TOKEN_SERVER__INTROSPECTION__URL",
    auth: "TOKEN_SERVER__INTROSPECTION__AUTH",
    client_id: "TOKEN_SERVER__INTROSPECTION__CLIENT_ID",
    client_secret_file: "TOKEN_SERVER__INTROSPECTION__CLIENT_SECRET_FILE",
    token_file: "TOKEN_SERVER__INTROSPECTION__TOKEN_FILE",
    cert_file: "TOKEN_SERVER__INTROSPECTION__CERT_FILE",
    key_file: "TOKEN_SERVER__INTROSPECTION__KEY_FILE",
    key_id: "TOKEN_SERVER__INTROSPECTION__KEY_ID",
    signed: "TOKEN_SERVER__INTROSPECTION__SIGNED",
    ca_file: "TOKEN_SERVER__INTROSPECTION__CA_FILE",
    origins: "TOKEN_SERVER__INTROSPECTION__ORIGINS",
    proxy: "TOKEN_SERVER__INTROSPECTION__PROXY",
    cache_ttl: CACHE_TTL,
    negative_ttl: NEGATIVE_TTL,
    timeout_ms: TIMEOUT_MS,
    concurrency: CONCURRENCY,
    rate: RATE,
    token_types: TOKEN_TYPES,
    allow_untyped: ALLOW_UNTYPED,
};

pub(super) const TABLE: Names = Names {
    issuer: "issuer",
    url: "url",
    auth: "auth",
    client_id: "client_id",
    client_secret_file: "client_secret_file",
    token_file: "token_file",
    cert_file: "cert_file",
    key_file: "key_file",
    key_id: "key_id",
    signed: "signed",
    ca_file: "ca_file",
    origins: "origins",
    proxy: "proxy",
    cache_ttl: "cache_ttl",
    negative_ttl: "negative_ttl",
    timeout_ms: "timeout_ms",
    concurrency: "concurrency",
    rate: "rate",
    token_types: "token_types",
    allow_untyped: "allow_untyped",
};

impl Names {
    /// Those that tables take over.
    pub(super) const fn terms(&self) -> [&'static str; 7] {
        [
            self.cache_ttl,
            self.negative_ttl,
            self.timeout_ms,
            self.concurrency,
            self.rate,
            self.token_types,
            self.allow_untyped,
        ]
    }
}

/// The authorization servers that are asked.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// All of them; none: opaque tokens are refused.
    pub(crate) servers: Vec<AuthorizationServer>,
    /// `TOKEN_SERVER__INTROSPECTION__CACHE_SIZE`: how many answers are kept.
    pub(crate) cache_size: usize,
}

/// One authorization server.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationServer {
    pub(crate) written: Written,
    /// Of `client_secret_file`.
    pub(crate) secret: Option<Arc<SecretFile<Secret>>>,
    /// Of `key_file`, where that signs assertions.
    pub(crate) key: Option<Arc<SecretFile<SigningKey>>>,
    /// By whose keys answers must be signed; absent: by none.
    pub(crate) answer_keys: Option<AnswerKeys>,
    /// Asks, at the configured origins alone.
    pub(crate) client: Client,
}

/// What an operator wrote of one: if it is the same, so are its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// `iss` of its tokens.
    pub(crate) issuer: Arc<str>,
    /// What its tokens begin with.
    pub(crate) prefix: String,
    /// The endpoint; absent: its metadata say.
    pub(crate) url: Option<Url>,
    /// How it is told who asks.
    pub(crate) authentication: Authentication,
    /// Whether only signed answers are accepted.
    pub(crate) signed: bool,
    /// How it is reached.
    pub(crate) fetch: Fetch,
    /// What is done with its answers.
    pub(crate) terms: Terms,
}

/// How often it is asked, and what is done with its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The longest use of an answer that says `active`.
    pub(crate) cache_ttl: Duration,
    /// The longest use of any other.
    pub(crate) negative_ttl: Duration,
    /// How long one call may take.
    pub(crate) timeout: Duration,
    /// Calls at a time.
    pub(crate) concurrency: usize,
    /// Calls in a second.
    pub(crate) rate: u32,
    /// The accepted `token_type`, in any letter case.
    pub(crate) token_types: Vec<String>,
    /// Whether an answer without `token_type` is accepted.
    pub(crate) allow_untyped: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            cache_ttl: Duration::from_secs(30),
            negative_ttl: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            concurrency: 64,
            rate: 200,
            token_types: ["Bearer", "DPoP"].map(str::to_owned).into(),
            allow_untyped: false,
        }
    }
}

impl Introspection {
    /// Puts the keys by which answers must be signed behind these sets.
    pub(super) fn place_keys(&mut self, sets: &mut Vec<IssuerKeys>) {
        for keys in self.servers.iter_mut().filter_map(|server| server.answer_keys.as_mut()) {
            keys.set = Some(sets.len());
            sets.push(keys.sources.clone());
        }
    }
}

/// Reads the flat settings and the tables.
pub(super) fn read(settings: &mut Settings, profile: Profile) -> Introspection {
    let cache_size = within(settings, CACHE_SIZE, "answers", SIZES).unwrap_or(DEFAULT_SIZE);
    let general = terms(settings, &FLAT, &Terms::default());
    let mut servers = Vec::new();
    let flat_server = server(settings, &FLAT, String::new(), &general);
    let has_tables = settings.has_tables("introspection");
    if settings.is_set(ISSUER) {
        servers.extend(flat_server);
    } else {
        let mut idle = vec![
            FLAT.url,
            FLAT.auth,
            FLAT.client_id,
            FLAT.client_secret_file,
            FLAT.token_file,
            FLAT.cert_file,
            FLAT.key_file,
            FLAT.key_id,
            FLAT.signed,
            FLAT.ca_file,
            FLAT.origins,
            FLAT.proxy,
        ];
        let shared =
            [CACHE_SIZE, CACHE_TTL, NEGATIVE_TTL, TIMEOUT_MS, CONCURRENCY, RATE, TOKEN_TYPES, ALLOW_UNTYPED];
        idle.extend(shared.into_iter().filter(|_| !has_tables));
        for name in idle {
            if settings.is_set(name) {
                settings.fault(name, format!("has no effect without {ISSUER}, the iss of the tokens"));
            }
        }
    }
    for mut table in settings.tables("introspection") {
        let prefix = prefix(&mut table);
        let own = terms(&mut table, &TABLE, &general);
        if !table.is_set(TABLE.issuer) {
            let what = "is required: the iss of the tokens; an answer that names none gets it, and one that names another is refused";
            table.fault(TABLE.issuer, what);
        }
        if let Some(server) = server(&mut table, &TABLE, prefix, &own) {
            let is_taken = |other: &AuthorizationServer| other.written.prefix == server.written.prefix;
            if servers.iter().any(is_taken) {
                let what = "comes twice, or is left out twice, so that a token would have two servers that may know it; the flat \
                            settings have none";
                table.fault("prefix", what);
            }
            servers.push(server);
        }
        settings.adopt(table);
    }
    if profile == Profile::MsUsers && (settings.is_set(ISSUER) || has_tables) {
        let name = if has_tables { "[[introspection]]" } else { ISSUER };
        settings.fault(name, "is for the profile standard: tokens of ms-users are never opaque");
    }
    Introspection { servers, cache_size }
}

/// What the tokens of a table begin with; empty: as no other table's.
fn prefix(table: &mut Settings) -> String {
    let prefix = table.text("prefix").unwrap_or_default();
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if prefix.len() > 64 || !prefix.bytes().all(is_good) {
        table.fault(
            "prefix",
            "expected at most 64 characters of those that tokens are made of: letters, digits and -._~+/",
        );
    }
    prefix
}

fn terms(settings: &mut Settings, names: &Names, general: &Terms) -> Terms {
    let seconds = Duration::from_secs;
    let cache_ttl = within(settings, names.cache_ttl, "seconds", CACHE_TTLS).map(seconds);
    let negative_ttl = within(settings, names.negative_ttl, "seconds", NEGATIVE_TTLS).map(seconds);
    let timeout = within(settings, names.timeout_ms, "milliseconds", TIMEOUTS).map(Duration::from_millis);
    Terms {
        cache_ttl: cache_ttl.unwrap_or(general.cache_ttl),
        negative_ttl: negative_ttl.unwrap_or(general.negative_ttl),
        timeout: timeout.unwrap_or(general.timeout),
        concurrency: within(settings, names.concurrency, "calls", PLACES).unwrap_or(general.concurrency),
        rate: within(settings, names.rate, "calls", RATES).unwrap_or(general.rate),
        token_types: settings.list(names.token_types).unwrap_or_else(|| general.token_types.clone()),
        allow_untyped: settings.flag(names.allow_untyped).unwrap_or(general.allow_untyped),
    }
}

fn server(
    settings: &mut Settings,
    names: &Names,
    prefix: String,
    terms: &Terms,
) -> Option<AuthorizationServer> {
    let issuer = settings.text(names.issuer);
    let url = super::ssf::asking::url(settings, names.url);
    let proxy = match settings.text(names.proxy) {
        None => ProxyChoice::Environment,
        Some(none) if none.eq_ignore_ascii_case("none") => ProxyChoice::Never,
        Some(url) => ProxyChoice::Through(Secret::new(url)),
    };
    let (ca_file, origins) = (settings.text(names.ca_file), settings.list(names.origins).unwrap_or_default());
    let place = settings.place().to_owned();
    let credentials = credentials::read(settings, names, issuer.is_some());
    let signed = settings.flag(names.signed).unwrap_or(false);
    let issuer = issuer?;
    let asked = match &url {
        Some(url) => Configured { url: url.clone(), setting: format!("{place}{}", names.url) },
        None => Configured {
            url: discovered(settings, names, &issuer)?,
            setting: format!("{place}{}", names.issuer),
        },
    };
    let credentials = credentials?;
    let fetch = Fetch {
        ca_file: ca_file.map(Into::into),
        ca_setting: format!("{place}{}", names.ca_file),
        authorization: credentials.authorization,
        certificate: credentials.certificate,
        origins,
        proxy,
        place,
        names: FetchNames {
            keys_url: names.url,
            ca_file: names.ca_file,
            token_file: names.token_file,
            cert_file: names.cert_file,
            key_file: names.key_file,
            origins: names.origins,
            proxy: names.proxy,
            ..FetchNames::TABLE
        },
        ..Fetch::default()
    };
    let user_agent = concat!("token-server/", env!("CARGO_PKG_VERSION"));
    let surroundings = Surroundings::new(settings.proxies().clone());
    let client = Client::without_redirects(user_agent, &fetch, &[asked], &surroundings)
        .map_err(|FetchFault { setting, why }| settings.fault(names.issuer, format!("{setting}: {why}")))
        .ok()?;
    let (authentication, terms) = (credentials.authentication, terms.clone());
    let answer_keys = match signed {
        true => Some(answer_keys::read(settings, names, &issuer, &authentication, &fetch)?),
        false => None,
    };
    let written = Written { issuer: issuer.into(), prefix, url, authentication, signed, fetch, terms };
    Some(AuthorizationServer {
        written,
        secret: credentials.secret,
        key: credentials.key,
        answer_keys,
        client,
    })
}

/// The issuer as the place of its metadata.
fn discovered(settings: &mut Settings, names: &Names, issuer: &str) -> Option<Url> {
    let found = metadata_url(issuer);
    if found.is_none() {
        let what = format!(
            "leads to no metadata that may be relied on, since it is neither an https:// URL nor an http:// URL of this machine: \
             set {} to the introspection endpoint",
            names.url
        );
        settings.fault(names.issuer, what);
    }
    found
}

/// The issuer as the place of metadata that may be relied on.
fn metadata_url(issuer: &str) -> Option<Url> {
    Url::parse(issuer).ok().filter(|url| may_hear_secrets(url) && ::keys::addresses(issuer).is_some())
}
