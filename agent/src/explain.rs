//! `jwt-agent verify`: the verdict on a token as the agent would give it, and how that came.

use std::path::PathBuf;

use clap::Args;
use jose::{Policy, Reject};
use keys::explain::{self, ExplainError, Judge};
use service::exit;
use service::settings::{ConfigError, Environment};

use crate::config::Config;
use crate::haproxy::cfg::HaproxyCfg;
use crate::mcp::{Call, FIRST_VERSION};
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
    /// The method of an MCP call, where the policy is a name of `[[mcp]]` rows.
    #[arg(long, value_name = "METHOD", requires = "policy")]
    pub mcp_method: Option<String>,
    /// The name that such a call is about, plain or encoded.
    #[arg(long, value_name = "NAME", requires = "mcp_method")]
    pub mcp_name: Option<String>,
    /// The revision of such a call.
    #[arg(long, value_name = "DATE", requires = "mcp_method", default_value = FIRST_VERSION)]
    pub mcp_version: String,
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
    /// `[[mcp]]` rows refuse the call whatever the token is, or it is not told.
    #[error(
        "--policy {policy} stands for [[mcp]] rows, which refuse this call ({detail}); name it with --mcp-method METHOD and, for tools/call, resources/read and prompts/get, --mcp-name NAME"
    )]
    Call {
        /// The name of the rows.
        policy: String,
        /// The word for it.
        detail: &'static str,
    },
    /// The rest.
    #[error(transparent)]
    Explain(#[from] ExplainError),
}

impl VerifyError {
    /// What the program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Sources(_) | Self::Call { .. } => exit::USAGE,
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
        policy: policy(&config, arguments)?,
        signature_only: arguments.signature_only,
        schemes: &config.schemes,
        max_token_bytes: config.max_token_bytes,
        size_setting: "JWT_MAX_TOKEN_BYTES",
    };
    Ok(explain::print(&arguments.token, arguments.json, &judge).await?)
}

/// The policy that is asked for, or that judges the call.
fn policy<'a>(config: &'a Config, arguments: &Verify) -> Result<&'a Policy, VerifyError> {
    let name = arguments.policy.as_deref();
    let Some(rows) = name.filter(|name| config.mcp.has(name)) else {
        return Ok(explain::policy(&config.trust, name)?);
    };
    let Verify { mcp_method, mcp_name, mcp_version, .. } = arguments;
    let call = Call::read(mcp_method.as_deref(), mcp_name.as_deref(), Some(mcp_version));
    let decider = call.and_then(|call| config.mcp.decider(rows, &call));
    let refused = |reject: Reject| VerifyError::Call { policy: rows.to_owned(), detail: reject.detail() };
    let decider = decider.map_err(refused)?;
    config.trust.policies().get(decider).ok_or_else(|| refused(Reject::UnknownPolicy))
}
