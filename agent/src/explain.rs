//! `jwt-agent verify`: the verdict on a token as the agent would give it, with the keys and settings at hand.
//!
//! Revocation is not asked about: the answer says what signature and policy say.

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::time::SystemTime;

use jose::{KeySet, Reason, Refusal, Reject, UnixTime, Verdict};
use serde::Serialize;

use crate::cli::Verify;
use crate::config::Config;
use crate::haproxy_cfg::HaproxyCfg;
use crate::keys::Source;

/// One line of output.
#[derive(Debug, Serialize)]
struct Line {
    valid: bool,
    reason: Reason,
    detail: &'static str,
}

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
    let keys = (OsString::from("JWT_JWKS_FILE"), arguments.keys.clone().into_os_string());
    let environment = environment.into_iter().filter(|(name, _)| *name != keys.0);
    let config =
        Config::load(environment.chain([keys.clone()]), haproxy_cfg).map_err(|error| error.to_string())?;
    let keys = Source::File(arguments.keys.clone())
        .load(&config.keys.rules)
        .await
        .map_err(|error| format!("{}: {error}", arguments.keys.display()))?;

    let mut out = io::stdout().lock();
    let mut all_valid = true;
    let mut judge = |token: &str| -> io::Result<()> {
        let line = line(token, arguments.signature_only, &config, &keys);
        all_valid &= line.valid;
        writeln!(out, "{}", serde_json::to_string(&line)?)
    };
    match arguments.token.as_deref() {
        None | Some("-") => {
            for token in io::stdin().lock().lines() {
                let token = token.map_err(|error| format!("standard input: {error}"))?;
                let token = token.trim();
                if !token.is_empty() {
                    judge(token).map_err(|error| format!("standard output: {error}"))?;
                }
            }
        }
        Some(token) => judge(token).map_err(|error| format!("standard output: {error}"))?,
    }
    Ok(all_valid)
}

fn line(token: &str, signature_only: bool, config: &Config, keys: &KeySet) -> Line {
    let judged = if token.len() > config.max_token_bytes {
        Err(Reject::TokenSize)
    } else if signature_only {
        jose::verify_signature(token, keys, config.policy.algorithms).map(|_| ())
    } else {
        let now = UnixTime::from_system(SystemTime::now());
        match jose::verify(token, keys, &config.policy, now) {
            Verdict::Accept(_) => Ok(()),
            Verdict::Refuse(Refusal { reject, .. }) => Err(reject),
        }
    };
    match judged {
        Ok(()) => Line { valid: true, reason: Reason::Ok, detail: "ok" },
        Err(reject) => Line { valid: false, reason: reject.reason(), detail: reject.detail() },
    }
}
