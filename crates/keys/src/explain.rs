//! `verify` of both programs: the verdict on a token by its issuer's keys and the policy, and how that came.
//!
//! Revocation is not asked about. Keys are named, never shown; a key that the source holds and that is not used is named with
//! the reason, where the token may mean it.

mod error;

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::SystemTime;

use jose::{
    AuthScheme, Explanation, KeyRules, KeySet, Policy, Reason, Refusal, Reject, TrialOutcome, Trust,
    UnixTime, Verdict,
};
use serde::Serialize;
use serde_json::value::RawValue;

pub use self::error::ExplainError;
use crate::source::Source;

/// By what tokens are judged.
#[derive(Debug)]
pub struct Judge<'a> {
    /// Whom to trust.
    pub trust: &'a Trust,
    /// The keys of each issuer.
    pub keys: &'a [KeySet],
    /// Where they are from.
    pub sources: &'a [(usize, Source)],
    /// Which keys are good enough.
    pub rules: &'a KeyRules,
    /// The policy.
    pub policy: &'a Policy,
    /// Judge the signature alone: no expiry, issuer or audience.
    pub signature_only: bool,
    /// Accepted `Authorization` schemes: one of them may stand before a token.
    pub schemes: &'a [String],
    /// Longer tokens are refused.
    pub max_token_bytes: usize,
    /// The setting that says so.
    pub size_setting: &'static str,
}

/// What is told about one token; as JSON, one line.
#[derive(Debug, Serialize)]
pub struct Answer {
    valid: bool,
    reason: Reason,
    detail: &'static str,
    /// What to do about it, where a setting decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    /// What its client has to show beside the token, where it is bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<&'static str>,
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
    position: usize,
    reason: &'static str,
    why: String,
}

/// The keys of each of so many issuers, as a program would hold them after its start.
///
/// # Errors
///
/// A source gives no keys.
pub async fn load(
    issuers: usize,
    sources: &[(usize, Source)],
    rules: &KeyRules,
) -> Result<Vec<KeySet>, ExplainError> {
    let mut sets = vec![KeySet::empty(); issuers];
    for (issuer, source) in sources {
        let set = source.load(rules).await.map_err(|cause| match source {
            Source::File(_) => ExplainError::File { name: source.name(), cause },
            Source::Url(..) | Source::PerKid(..) => ExplainError::Server { name: source.name(), cause },
        })?;
        if let Some(sum) = sets.get_mut(*issuer) {
            *sum = KeySet::merge([&*sum, &set]);
        }
    }
    Ok(sets)
}

/// The policy of that name, or the default one.
///
/// # Errors
///
/// There is none of that name.
pub fn policy<'a>(trust: &'a Trust, name: Option<&str>) -> Result<&'a Policy, ExplainError> {
    trust.policy(name).ok_or_else(|| {
        ExplainError::Policy(trust.policies().iter().map(|policy| policy.name.clone()).collect())
    })
}

/// Judges the token that these words are, or where they are `-` or absent those on standard input, one a line, and prints
/// the answers: JSON where it is asked for or standard output is no terminal. Whether all were valid.
///
/// # Errors
///
/// Standard input or output fails, or the key that a token names cannot be fetched.
pub async fn print(words: &[String], json: bool, judge: &Judge<'_>) -> Result<bool, ExplainError> {
    let as_json = json || !io::stdout().is_terminal();
    let mut out = io::stdout().lock();
    let mut all_valid = true;
    let mut one = async |token: &str| -> Result<(), ExplainError> {
        let answer = judge.answer(token).await?;
        all_valid &= answer.valid;
        let text = if as_json {
            serde_json::to_string(&answer).map_err(|error| ExplainError::Output(error.into()))?
        } else {
            answer.to_string()
        };
        writeln!(out, "{text}").map_err(ExplainError::Output)
    };
    match words.join(" ").trim() {
        "" | "-" => {
            for line in io::stdin().lock().lines() {
                let line = line.map_err(ExplainError::Input)?;
                let token = line.trim();
                if !token.is_empty() {
                    one(token).await?;
                }
            }
        }
        token => one(token).await?,
    }
    Ok(all_valid)
}

impl Judge<'_> {
    /// The answer on one token.
    ///
    /// # Errors
    ///
    /// The key that it names cannot be fetched.
    pub async fn answer(&self, token: &str) -> Result<Answer, ExplainError> {
        let Some(token) = self.bare(token) else {
            let cure = Some(format!("the schemes that are accepted are {}", self.schemes.join(", ")));
            return Ok(Answer { cure, ..Answer::of(Err(Reject::Scheme), None) });
        };
        if token.len() > self.max_token_bytes {
            let cure = Some(self.cure_of_length(token.len()));
            return Ok(Answer { cure, ..Answer::of(Err(Reject::TokenSize), None) });
        }
        let now = UnixTime::from_system(SystemTime::now());
        let named = self.named_key(token).await?;
        let keys = named.as_deref().unwrap_or(self.keys);
        let explanation = self.trust.explain(token, keys, self.policy, now);
        let verdict = match &explanation.verdict {
            // What was signed is there as soon as the signature is good, whatever the policy says.
            Verdict::Accept(_) => Ok(()),
            Verdict::Refuse(Refusal { signed: Some(_), .. }) if self.signature_only => Ok(()),
            Verdict::Refuse(Refusal { reject, .. }) => Err(*reject),
        };
        let binding = match &explanation.verdict {
            Verdict::Accept(signed) => self.trust.confirmation(signed, self.policy, AuthScheme::Bearer).ok(),
            Verdict::Refuse(_) => None,
        };
        let binding = binding.filter(|asked| !asked.is_none()).map(|asked| asked.as_str());
        Ok(Answer { binding, ..Answer::of(verdict, Some(explanation)) })
    }

    /// The keys of each issuer with that which is fetched by the token's `kid`, if there is such a one.
    async fn named_key(&self, token: &str) -> Result<Option<Vec<KeySet>>, ExplainError> {
        let hint = self.trust.hint(token, self.policy);
        let Some((issuer, kid)) = hint.keys.zip(hint.kid) else { return Ok(None) };
        let mut keys = self.keys.to_vec();
        for (own, source) in self.sources {
            let Source::PerKid(place, client) = source else { continue };
            if *own != issuer {
                continue;
            }
            let found = place.fetch(client, kid, self.rules).await;
            let found = found.map_err(|cause| ExplainError::Server { name: place.name(), cause })?;
            if let Some((set, found)) = keys.get_mut(issuer).zip(found) {
                *set = KeySet::merge([&*set, &found]);
            }
        }
        Ok(Some(keys))
    }

    /// The token without the scheme that a header has before it; absent where that scheme is not accepted.
    fn bare<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Some((scheme, token)) = text.trim().split_once(char::is_whitespace) else { return Some(text) };
        self.schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)).then(|| token.trim())
    }

    fn cure_of_length(&self, len: usize) -> String {
        let Self { max_token_bytes, size_setting, .. } = self;
        format!(
            "the token has {len} bytes, and {size_setting} allows {max_token_bytes}: set it higher, and the proxy's buffer \
             for a request's headers (tune.bufsize of HAProxy) to twice as much"
        )
    }
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
            cure: None,
            issuer: None,
            binding: None,
            keys: Vec::new(),
            left_out: Vec::new(),
            header: None,
            claims: None,
        };
        if let Some(explanation) = explanation {
            answer.issuer = explanation.issuer.as_deref().map(service::shown::url);
            answer.header = explanation.header.and_then(raw);
            answer.claims = explanation.claims.and_then(|claims| raw(claims.as_json().to_owned()));
            let left_out = explanation.left_out.into_iter().map(|skipped| LeftOut {
                position: skipped.position,
                reason: skipped.reason.word(),
                why: skipped.reason.to_string(),
                kid: skipped.kid,
            });
            answer.left_out = left_out.collect();
            let keys = explanation.keys.into_iter().map(|trial| Trial {
                kid: trial.kid,
                kind: trial.kind.to_string(),
                outcome: TrialOutcome::as_str(trial.outcome),
            });
            answer.keys = keys.collect();
        }
        answer
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.valid {
            f.write_str("valid")?;
        } else {
            write!(f, "refused: {} ({})", self.detail, self.reason.as_str())?;
        }
        let mut line = |label: &str, value: &str| write!(f, "\n  {label:<8}{value}");
        if let Some(cure) = &self.cure {
            line("cure", cure)?;
        }
        if let Some(issuer) = &self.issuer {
            line("issuer", issuer)?;
        }
        if let Some(binding) = self.binding {
            line(
                "binding",
                &format!("{binding}: good only for the client that proves it, which is not asked for here"),
            )?;
        }
        for key in &self.keys {
            let kid = key.kid.as_deref().unwrap_or("(no kid)");
            line("key", &format!("{kid}, {}: {}", key.kind, key.outcome))?;
        }
        for key in &self.left_out {
            let kid = key.kid.as_deref().unwrap_or("(no kid)");
            line("key", &format!("{kid}, number {} of its source: left out: {}", key.position, key.why))?;
        }
        if let Some(header) = &self.header {
            line("header", header.get())?;
        }
        if let Some(claims) = &self.claims {
            line(if self.valid { "claims" } else { "claimed" }, claims.get())?;
        }
        Ok(())
    }
}
