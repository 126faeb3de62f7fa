//! Names of settings that several files write.

use keys::trust::{ChallengeNames, FetchNames, TrustNames};

/// What the names of settings begin with.
pub(super) const PREFIX: &str = "JWT_";

/// The budget of verifications of opaque tokens.
pub(super) const OPAQUE_TIMEOUT_MS: &str = "JWT_OPAQUE_TIMEOUT_MS";

/// The flat settings of trust.
pub(crate) const TRUST: TrustNames = TrustNames {
    config: "JWT_CONFIG",
    file: "JWT_JWKS_FILE",
    oidc_issuers: "JWT_OIDC_ISSUERS",
    sync_interval: "JWT_SYNC_INTERVAL",
    allow_short_secrets: "JWT_ALLOW_SHORT_SECRETS",
    allow_mixed_keys: "JWT_ALLOW_MIXED_KEYS",
    issuers: "JWT_ISSUERS",
    audiences: "JWT_AUDIENCES",
    algorithms: "JWT_ALGORITHMS",
    leeway: "JWT_LEEWAY",
    binding: "JWT_BINDING",
    opaque: "JWT_OPAQUE",
    required: "JWT_REQUIRED",
    challenge: ChallengeNames {
        resource: "JWT_RESOURCE",
        resource_metadata: "JWT_RESOURCE_METADATA",
        realm: "JWT_REALM",
        scopes: "JWT_CHALLENGE_SCOPES",
        acr_values: "JWT_ACR_VALUES",
        max_age: "JWT_MAX_AGE",
    },
    fetch: FetchNames {
        keys_url: "JWT_JWKS_URL",
        ca_file: "JWT_CA_FILE",
        token_file: "JWT_FETCH_TOKEN_FILE",
        basic_file: "JWT_FETCH_BASIC_FILE",
        headers: "JWT_FETCH_HEADERS",
        headers_file: "JWT_FETCH_HEADERS_FILE",
        cert_file: "JWT_FETCH_CERT_FILE",
        key_file: "JWT_FETCH_KEY_FILE",
        origins: "JWT_FETCH_ORIGINS",
        proxy: "JWT_FETCH_PROXY",
    },
};
