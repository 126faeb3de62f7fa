//! `jwt-agent verify`: the verdict on a token as the agent would give it, and how that came.

use std::ffi::OsString;

use keys::explain::{self, Judge};

use crate::cli::Verify;
use crate::config::Config;
use crate::haproxy_cfg::HaproxyCfg;
use crate::run::key_sources;

/// Judges the tokens of the command line; whether all were valid.
///
/// # Errors
///
/// Settings, keys or standard input cannot be used.
pub async fn verify(
    arguments: &Verify,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    haproxy_cfg: Option<&HaproxyCfg>,
) -> Result<bool, String> {
    let config = Config::load(environment, haproxy_cfg, arguments.keys.as_deref())
        .map_err(|error| error.to_string())?;
    let sources = key_sources(&config.keys).map_err(|error| error.to_string())?;
    let judge = Judge {
        trust: &config.trust,
        keys: &explain::load(config.keys.issuers.len(), &sources, &config.keys.rules).await?,
        sources: &sources,
        rules: &config.keys.rules,
        route: explain::route(&config.trust, arguments.policy.as_deref())?,
        signature_only: arguments.signature_only,
        schemes: &config.schemes,
        max_token_bytes: config.max_token_bytes,
        size_setting: "JWT_MAX_TOKEN_BYTES",
    };
    explain::print(&arguments.token, arguments.json, &judge).await
}
