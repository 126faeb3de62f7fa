//! Names of settings, and the bounds of some.

pub(super) const PREFIX: &str = "TOKEN_SERVER_";
pub(crate) const CONFIG: &str = "TOKEN_SERVER_CONFIG";
pub(super) const LISTEN: &str = "TOKEN_SERVER__LISTEN";
pub(crate) const ADMIN_LISTEN: &str = "TOKEN_SERVER__ADMIN__LISTEN";
/// What [`ADMIN_LISTEN`] is where it is not set.
pub(crate) const ADMIN_LISTEN_FALLBACK: &str = "127.0.0.1:4001";
pub(crate) const ADMIN_SOCKET: &str = "TOKEN_SERVER__ADMIN__SOCKET";
pub(super) const ADMIN_TOKENS_FILE: &str = "TOKEN_SERVER__ADMIN__TOKENS_FILE";
pub(super) const ADMIN_UI: &str = "TOKEN_SERVER__ADMIN__UI";
pub(super) const AGENT_TOKENS_FILE: &str = "TOKEN_SERVER__AGENT__TOKENS_FILE";
pub(super) const STORE_PATH: &str = "TOKEN_SERVER__STORE__PATH";
pub(super) const STORE_NEW: &str = "TOKEN_SERVER__STORE__NEW";
pub(super) const JWE_KEYS_FILE: &str = "TOKEN_SERVER__JWE__KEYS_FILE";
pub(super) const PROFILE: &str = "TOKEN_SERVER__PROFILE";
pub(super) const PREVIEW_SUBJECTS: &str = "TOKEN_SERVER__PREVIEW__SUBJECTS";
pub(super) const COMPAT_ENABLED: &str = "TOKEN_SERVER__COMPAT__ENABLED";
pub(super) const COMPAT_OPEN: &str = "TOKEN_SERVER__COMPAT__OPEN";
pub(super) const REDIS_MODE: &str = "TOKEN_SERVER__REDIS__MODE";
pub(super) const REDIS_URLS: &str = "TOKEN_SERVER__REDIS__URLS";
pub(super) const REDIS_MASTER: &str = "TOKEN_SERVER__REDIS__MASTER";
pub(super) const REDIS_PREFIX: &str = "TOKEN_SERVER__REDIS__PREFIX";
pub(super) const REDIS_MIN_REPLICAS: &str = "TOKEN_SERVER__REDIS__MIN_REPLICAS";
pub(super) const REDIS_ACCEPT_EVICTION: &str = "TOKEN_SERVER__REDIS__ACCEPT_EVICTION";
pub(super) const REDIS_CA_FILE: &str = "TOKEN_SERVER__REDIS__CA_FILE";
pub(super) const CONSUL_URL: &str = "TOKEN_SERVER__CONSUL__URL";
pub(super) const AUDIT_KEEP: &str = "TOKEN_SERVER__AUDIT__KEEP";
pub(super) const AUDIT_MAX: &str = "TOKEN_SERVER__AUDIT__MAX";
pub(super) const CACHE_TTL: &str = "TOKEN_SERVER__CACHE__TTL";
pub(super) const CACHE_BYTES: &str = "TOKEN_SERVER__CACHE__BYTES";
pub(super) const MAX_STALE: &str = "TOKEN_SERVER__STORE__MAX_STALE";

/// Subjects whose last claims are remembered, unless the operator wants more, fewer or none: 4 MiB at most.
pub(super) const DEFAULT_PREVIEW_SUBJECTS: usize = 1_000;

/// The most subjects whose last claims may be remembered: 400 MiB at most.
pub(super) const MAX_PREVIEW_SUBJECTS: usize = 100_000;

/// Days that an entry of the audit trail is kept, unless the operator says otherwise: a year, and time to look back at it.
pub(super) const DEFAULT_AUDIT_DAYS: u64 = 400;

/// The most days, a century.
pub(super) const MAX_AUDIT_DAYS: u64 = 36_500;

/// Entries of the audit trail that are kept, unless the operator says otherwise: about 400 MiB.
pub(super) const DEFAULT_AUDIT_MAX: u64 = 1_000_000;

/// The most entries.
pub(super) const MAX_AUDIT_MAX: u64 = 100_000_000;
