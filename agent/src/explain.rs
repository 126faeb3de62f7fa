//! `jwt-agent verify`: the verdict on a token as the agent would give it, and how that came.
//!
//! Revocation is not asked about: the answer says what signature and policy say. Keys are named, never shown.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::SystemTime;

use jose::{Explanation, KeyKind, KeySet, Reason, Refusal, Reject, Route, TrialOutcome, UnixTime, Verdict};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::Verify;
use crate::config::Config;
use crate::haproxy_cfg::HaproxyCfg;
use crate::run::key_sources;

/// What is told about one token; as JSON, one line.
#[derive(Debug, Serialize)]
struct Answer {
    valid: bool,
    reason: Reason,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Trial>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Box<RawValue>>,
}

/// What became of one key.
#[derive(Debug, Serialize)]
struct Trial {
    kid: Option<String>,
    kind: String,
    outcome: &'static str,
}

/// A key of the source that is not used, though the token may mean it.
#[derive(Debug, Serialize)]
struct LeftOut {
    kid: Option<String>,
    why: String,
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
    let config = Config::load(environment, haproxy_cfg, arguments.keys.as_deref())
        .map_err(|error| error.to_string())?;
    let keys = load_keys(&config).await?;
    let route = config
        .trust
        .route(arguments.policy.as_deref())
        .ok_or_else(|| format!("--policy: there is none of that name; there are: {}", names(&config)))?;

    let as_json = arguments.json || !io::stdout().is_terminal();
    let mut out = io::stdout().lock();
    let mut all_valid = true;
    let mut judge = |token: &str| -> Result<(), String> {
        let answer = answer(token, arguments.signature_only, &config, route, &keys);
        all_valid &= answer.valid;
        let text = if as_json {
            serde_json::to_string(&answer).map_err(|error| error.to_string())?
        } else {
            for_people(&answer)
        };
        writeln!(out, "{text}").map_err(|error| format!("standard output: {error}"))
    };
    match arguments.token.as_deref() {
        None | Some("-") => {
            for line in io::stdin().lock().lines() {
                let line = line.map_err(|error| format!("standard input: {error}"))?;
                let token = line.trim();
                if !token.is_empty() {
                    judge(token)?;
                }
            }
        }
        Some(token) => judge(token)?,
    }
    Ok(all_valid)
}

/// The keys of each issuer, as the agent would hold them after its start.
async fn load_keys(config: &Config) -> Result<Vec<KeySet>, String> {
    let mut sets = vec![KeySet::empty(); config.keys.issuers.len()];
    for (issuer, source) in key_sources(&config.keys).map_err(|error| error.to_string())? {
        let name = source.name();
        let set = source.load(&config.keys.rules).await.map_err(|error| format!("{name}: {error}"))?;
        if let Some(sum) = sets.get_mut(issuer) {
            *sum = KeySet::merge([&*sum, &set]);
        }
    }
    Ok(sets)
}

fn names(config: &Config) -> String {
    let names: Vec<_> = config.trust.routes().iter().map(|route| route.name.as_str()).collect();
    names.join(", ")
}

fn answer(token: &str, signature_only: bool, config: &Config, route: &Route, keys: &[KeySet]) -> Answer {
    let now = UnixTime::from_system(SystemTime::now());
    if token.len() > config.max_token_bytes {
        return Answer::of(Err(Reject::TokenSize), None);
    }
    let explanation = config.trust.explain(token, keys, route, now);
    let verdict = match &explanation.verdict {
        // What was signed is there as soon as the signature is good, whatever the policy says.
        Verdict::Accept(_) => Ok(()),
        Verdict::Refuse(Refusal { signed: Some(_), .. }) if signature_only => Ok(()),
        Verdict::Refuse(Refusal { reject, .. }) => Err(*reject),
    };
    Answer::of(verdict, Some(explanation))
}

impl Answer {
    fn of(verdict: Result<(), Reject>, explanation: Option<Explanation>) -> Self {
        let raw = |json: String| RawValue::from_string(json).ok();
        let (reason, detail) = match verdict {
            Ok(()) => (Reason::Ok, "ok"),
            Err(reject) => (reject.reason(), reject.detail()),
        };
        let mut answer = Self {
            valid: verdict.is_ok(),
            reason,
            detail,
            issuer: None,
            keys: Vec::new(),
            left_out: Vec::new(),
            header: None,
            claims: None,
        };
        if let Some(explanation) = explanation {
            answer.issuer = explanation.issuer;
            answer.header = explanation.header.and_then(raw);
            answer.claims = explanation.claims.and_then(|claims| raw(claims.as_json().to_owned()));
            answer.left_out = explanation
                .left_out
                .into_iter()
                .map(|skipped| LeftOut { why: skipped.reason.to_string(), kid: skipped.kid })
                .collect();
            answer.keys = explanation
                .keys
                .into_iter()
                .map(|trial| Trial {
                    kid: trial.kid,
                    kind: kind(trial.kind),
                    outcome: TrialOutcome::as_str(trial.outcome),
                })
                .collect();
        }
        answer
    }
}

fn kind(kind: KeyKind) -> String {
    match kind {
        KeyKind::Rsa { bits } => format!("RSA {bits}"),
        KeyKind::Ec(curve) => format!("EC {curve}"),
        KeyKind::Ed25519 => "Ed25519".to_owned(),
        KeyKind::Oct => "secret".to_owned(),
    }
}

fn for_people(answer: &Answer) -> String {
    let mut text = if answer.valid {
        "valid".to_owned()
    } else {
        format!("refused: {} ({})", answer.detail, answer.reason.as_str())
    };
    let mut line = |label: &str, value: &str| {
        // Writing to a String cannot fail.
        write!(text, "\n  {label:<8}{value}").ok();
    };
    if let Some(issuer) = &answer.issuer {
        line("issuer", issuer);
    }
    for key in &answer.keys {
        let kid = key.kid.as_deref().unwrap_or("(no kid)");
        line("key", &format!("{kid}, {}: {}", key.kind, key.outcome));
    }
    for key in &answer.left_out {
        line("key", &format!("{}: left out: {}", key.kid.as_deref().unwrap_or("(no kid)"), key.why));
    }
    if let Some(header) = &answer.header {
        line("header", header.get());
    }
    if let Some(claims) = &answer.claims {
        line(if answer.valid { "claims" } else { "claimed" }, claims.get());
    }
    text
}
