//! `jwt-agent verify`: the verdict on a token as the agent would give it, and how that came.

use std::path::PathBuf;

use clap::Args;
use keys::explain::{self, ExplainError, Judge};
use service::exit;
use service::settings::{ConfigError, Environment};

use crate::config::Config;
use crate::haproxy::cfg::HaproxyCfg;
use crate::start::{StartError, key_sources};

/// Arguments of `jwt-agent verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The keys: JWKS, PEM, or the legacy list. Without it the configured sources are used.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Judge the signature alone: no expiry, issuer or audience.
    #[arg(long)]
    pub signature_only: bool,
    /// The policy to apply, if not the default one.
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// One JSON line for each token also on a terminal, where the answer is for people otherwise.
    #[arg(long)]
    pub json: bool,
    /// The token, perhaps with its scheme before it; `-` or nothing: one token a line on standard input, where no process
    /// list shows it.
    #[arg(num_args = 0..=2)]
    pub token: Vec<String>,
}

/// Why the tokens could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that the settings name cannot be used.
    #[error(transparent)]
    Sources(#[from] StartError),
    /// The rest.
    #[error(transparent)]
    Explain(#[from] ExplainError),
}

impl VerifyError {
    /// What the program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Sources(_) => exit::USAGE,
            Self::Explain(error) => error.exit_code(),
        }
    }
}

/// Judges the tokens of the command line; whether all were valid.
///
/// # Errors
///
/// Settings, keys or standard input cannot be used.
pub async fn verify(
    arguments: &Verify,
    environment: Environment,
    haproxy_cfg: Option<&HaproxyCfg>,
) -> Result<bool, VerifyError> {
    let config = Config::read(environment, haproxy_cfg, arguments.keys.as_deref())?;
    let sources = key_sources(&config.keys)?;
    let judge = Judge {
        trust: &config.trust,
        keys: &explain::load(config.keys.issuers.len(), &sources, &config.keys.rules).await?,
        sources: &sources,
        rules: &config.keys.rules,
        policy: explain::policy(&config.trust, arguments.policy.as_deref())?,
        signature_only: arguments.signature_only,
        schemes: &config.schemes,
        max_token_bytes: config.max_token_bytes,
        size_setting: "JWT_MAX_TOKEN_BYTES",
    };
    Ok(explain::print(&arguments.token, arguments.json, &judge).await?)
}
