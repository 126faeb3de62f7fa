//! Whose tokens are trusted, and where their keys come from: the names of the flat settings.

use jose::Profile;
use keys::trust::{ChallengeNames, FetchNames, IssuerKeys, TrustNames};
use keys::{KeySources, OpenError, Source};
use service::settings::Settings;

/// The flat settings of trust.
pub(crate) const TRUST: TrustNames = TrustNames {
    config: "TOKEN_SERVER_CONFIG",
    file: "TOKEN_SERVER__JWKS__FILE",
    oidc_issuers: "TOKEN_SERVER__JWKS__OIDC_ISSUERS",
    sync_interval: "TOKEN_SERVER__JWKS__SYNC_INTERVAL",
    allow_short_secrets: "TOKEN_SERVER__JWKS__ALLOW_SHORT_SECRETS",
    allow_mixed_keys: "TOKEN_SERVER__JWKS__ALLOW_MIXED_KEYS",
    issuers: "TOKEN_SERVER__VERIFY__ISSUERS",
    audiences: "TOKEN_SERVER__VERIFY__AUDIENCES",
    algorithms: "TOKEN_SERVER__VERIFY__ALGORITHMS",
    leeway: "TOKEN_SERVER__VERIFY__LEEWAY",
    binding: "TOKEN_SERVER__VERIFY__BINDING",
    opaque: "TOKEN_SERVER__VERIFY__OPAQUE",
    required: "TOKEN_SERVER__VERIFY__REQUIRED",
    challenge: ChallengeNames {
        resource: "TOKEN_SERVER__VERIFY__RESOURCE",
        resource_metadata: "TOKEN_SERVER__VERIFY__RESOURCE_METADATA",
        realm: "TOKEN_SERVER__VERIFY__REALM",
        scopes: "TOKEN_SERVER__VERIFY__CHALLENGE_SCOPES",
        acr_values: "TOKEN_SERVER__VERIFY__ACR_VALUES",
        max_age: "TOKEN_SERVER__VERIFY__MAX_AGE",
    },
    fetch: FetchNames {
        keys_url: "TOKEN_SERVER__JWKS__URL",
        ca_file: "TOKEN_SERVER__JWKS__CA_FILE",
        token_file: "TOKEN_SERVER__JWKS__FETCH_TOKEN_FILE",
        basic_file: "TOKEN_SERVER__JWKS__FETCH_BASIC_FILE",
        headers: "TOKEN_SERVER__JWKS__FETCH_HEADERS",
        headers_file: "TOKEN_SERVER__JWKS__FETCH_HEADERS_FILE",
        cert_file: "TOKEN_SERVER__JWKS__FETCH_CERT_FILE",
        key_file: "TOKEN_SERVER__JWKS__FETCH_KEY_FILE",
        origins: "TOKEN_SERVER__JWKS__FETCH_ORIGINS",
        proxy: "TOKEN_SERVER__JWKS__FETCH_PROXY",
    },
};

/// Verification keys and where they come from.
#[derive(Debug, Clone)]
pub struct Keys {
    /// As it was configured.
    pub configured: KeySources,
    /// Each source with the issuer whose keys it has.
    pub sources: Vec<(usize, Source)>,
}

/// The sources of all issuers, opened.
pub(super) fn read(settings: &mut Settings, issuers: Vec<IssuerKeys>, profile: Profile) -> Keys {
    let configured = KeySources::read(settings, &TRUST, profile, issuers);
    let opened = configured
        .check_files()
        .and_then(|()| configured.open(concat!("token-server/", env!("CARGO_PKG_VERSION"))));
    let sources = opened.unwrap_or_else(|error| {
        let name = match &error {
            OpenError::Fetch { setting, .. } | OpenError::Url { setting, .. } => setting,
            OpenError::File { .. } => TRUST.file,
        };
        settings.fault(name, error.to_string());
        Vec::new()
    });
    Keys { configured, sources }
}

#[cfg(test)]
mod tests;
