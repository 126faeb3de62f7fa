//! `token-server verify`: the verdict on signed tokens as forward-auth would give it, without the rules, and how that came.

use clap::Args;
use keys::explain::{self, Judge};

use super::error::CliError;
use super::outcome::Outcome;
use crate::config::{self, Config, MAX_TOKEN_BYTES};

/// Arguments of `token-server verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Judge the signature alone: no expiry, issuer or audience
    #[arg(long)]
    signature_only: bool,
    /// The policy to apply, if not the default one
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The token, perhaps with its scheme before it; `-` or nothing: one token a line on standard input, where no process
    /// list shows it
    #[arg(num_args = 0..=2)]
    token: Vec<String>,
}

pub(super) async fn run(verify: Verify, json: bool, config: Config) -> Result<Outcome, CliError> {
    let config::Verify { trust, forward_auth } = config.verify.ok_or(CliError::NoKeys)?;
    let keys = config.keys;
    let sets = explain::load(keys.configured.issuers.len(), &keys.sources, &keys.configured.rules).await;
    let judge = Judge {
        trust: &trust,
        keys: &sets?,
        sources: &keys.sources,
        rules: &keys.configured.rules,
        policy: explain::policy(&trust, verify.policy.as_deref())?,
        signature_only: verify.signature_only,
        schemes: &forward_auth.schemes,
        max_token_bytes: forward_auth.max_token_bytes,
        size_setting: MAX_TOKEN_BYTES,
    };
    let all_valid = explain::print(&verify.token, json, &judge).await?;
    Ok(if all_valid { Outcome::Done } else { Outcome::No })
}
