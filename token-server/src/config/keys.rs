//! `TOKEN_SERVER__JWKS__*`: where verification keys come from.

use std::path::PathBuf;
use std::time::Duration;

use jose::{KeyOrigin, KeyRules, Profile};
use keys::trust::{Discovery, Fetch, FetchNames, IssuerKeys, flat_names};
use keys::{KeySources, OpenError, Source};
use reqwest::Url;
use service::settings::Settings;

pub(super) const FILE: &str = "TOKEN_SERVER__JWKS__FILE";
const URL: &str = "TOKEN_SERVER__JWKS__URL";
const OIDC_ISSUERS: &str = "TOKEN_SERVER__JWKS__OIDC_ISSUERS";
const SYNC_INTERVAL: &str = "TOKEN_SERVER__JWKS__SYNC_INTERVAL";
const ALLOW_SHORT_SECRETS: &str = "TOKEN_SERVER__JWKS__ALLOW_SHORT_SECRETS";
const ALLOW_MIXED_KEYS: &str = "TOKEN_SERVER__JWKS__ALLOW_MIXED_KEYS";

/// How the URLs of the one issuer that flat settings name are fetched.
const FETCH: FetchNames = FetchNames {
    keys_url: URL,
    ca_file: "TOKEN_SERVER__JWKS__CA_FILE",
    token_file: "TOKEN_SERVER__JWKS__FETCH_TOKEN_FILE",
    basic_file: "TOKEN_SERVER__JWKS__FETCH_BASIC_FILE",
    headers: "TOKEN_SERVER__JWKS__FETCH_HEADERS",
    headers_file: "TOKEN_SERVER__JWKS__FETCH_HEADERS_FILE",
    cert_file: "TOKEN_SERVER__JWKS__FETCH_CERT_FILE",
    key_file: "TOKEN_SERVER__JWKS__FETCH_KEY_FILE",
    origins: "TOKEN_SERVER__JWKS__FETCH_ORIGINS",
    proxy: "TOKEN_SERVER__JWKS__FETCH_PROXY",
};

/// How old keys may get, unless the operator says otherwise.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// The longest delay between two reloads, seconds (one day).
const MAX_INTERVAL: u64 = 86_400;

/// Verification keys and where they come from.
#[derive(Debug, Clone)]
pub struct Keys {
    /// As it was configured.
    pub configured: KeySources,
    /// Each source with the issuer whose keys it has.
    pub sources: Vec<(usize, Source)>,
}

/// The sources of the flat settings.
pub(super) fn flat(settings: &mut Settings) -> IssuerKeys {
    let mut http = |name| {
        let urls: Vec<Url> = settings.parse_list(name, "http:// or https:// URLs").unwrap_or_default();
        if urls.iter().any(|url| !matches!(url.scheme(), "http" | "https") || !url.has_host()) {
            settings.fault(name, "expected http:// or https:// URLs");
        }
        urls.iter().map(ToString::to_string).collect()
    };
    let (urls, _judged): (_, Vec<String>) = (http(URL), http(OIDC_ISSUERS));
    let discovered = flat_names(settings, OIDC_ISSUERS);
    let keys = IssuerKeys {
        file: settings.text(FILE).map(PathBuf::from),
        urls,
        // As they were written: an issuer is compared as a string (RFC 7519 section 4.1.1).
        discovery: discovered.into_iter().map(|name| Discovery::flat(OIDC_ISSUERS, name)).collect(),
        fetch: Fetch::read(settings, FETCH),
    };
    keys.judge_fetch(settings);
    keys
}

/// The sources of all issuers, opened.
pub(super) fn read(settings: &mut Settings, issuers: Vec<IssuerKeys>, profile: Profile) -> Keys {
    let expected = format!("seconds, 1 to {MAX_INTERVAL}");
    let interval = settings.parse::<u64>(SYNC_INTERVAL, &expected);
    if interval.is_some_and(|interval| !(1..=MAX_INTERVAL).contains(&interval)) {
        settings.fault(SYNC_INTERVAL, format!("expected {expected}"));
    }
    let configured = KeySources {
        issuers,
        proxies: settings.proxies().clone(),
        interval: interval.map_or(DEFAULT_INTERVAL, Duration::from_secs),
        rules: KeyRules {
            origin: KeyOrigin::File,
            profile,
            allow_short_secrets: settings.flag(ALLOW_SHORT_SECRETS).unwrap_or(false),
            allow_mixed_keys: settings.flag(ALLOW_MIXED_KEYS).unwrap_or(false),
        },
    };
    let opened = configured
        .check_files()
        .and_then(|()| configured.open(concat!("token-server/", env!("CARGO_PKG_VERSION"))));
    let sources = opened.unwrap_or_else(|error| {
        let name = match &error {
            OpenError::Fetch { setting, .. } | OpenError::Url { setting, .. } => setting,
            OpenError::File { .. } => FILE,
        };
        settings.fault(name, error.to_string());
        Vec::new()
    });
    Keys { configured, sources }
}

#[cfg(test)]
mod tests;
