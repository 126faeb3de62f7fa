//! From a decision to the variables that HAProxy sets: scope `txn`, prefix `tkn`, `valid` last.
//!
//! HAProxy applies a list of actions up to the first byte that it cannot read, without an error. `valid` therefore
//! comes last: a list that was cut leaves it unset, and the shipped configuration denies what has no `valid`.

pub mod ack;
pub mod record;
pub mod told;

use std::collections::{BTreeSet, HashMap};

use jose::{Claim, ClaimNames, Claims, TokenVersion};
use spop::{Action, TypedData, VarScope};

use crate::decision::{Decision, Outcome};

/// What HAProxy puts before each of our names.
const PREFIX: &str = "txn.tkn.";
/// The longest full name that is sent. HAProxy refuses names of 64 and more, and versions before August 2026 read out
/// of bounds on long ones.
const MAX_NAME_BYTES: usize = 56;
/// The namespace of the claims.
const PAYLOAD: &str = "payload.";
/// Every variable but those of the claims.
const NAMES: [&str; 14] = [
    "valid",
    "reason",
    "detail",
    "stateless",
    "legacy",
    "policy",
    "body",
    "header",
    "id",
    "challenge",
    "binding",
    "proof",
    "dpop_nonce",
    "ttl",
];

/// Which variables are sent. Each one costs HAProxy time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variables {
    /// All.
    All,
    /// These, without prefix (`body`, `payload.sub`; `payload` means every claim), and always `valid` and `reason`.
    Only(BTreeSet<String>),
}

impl Variables {
    /// Whether a variable can be chosen by this name.
    pub fn is_name(name: &str) -> bool {
        name == "payload" || Self::is_sent(name)
    }

    /// Whether an answer can have a variable of this name.
    pub fn is_sent(name: &str) -> bool {
        NAMES.contains(&name) || name.strip_prefix(PAYLOAD).is_some_and(|claim| !claim.is_empty())
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }

    fn contains_claim(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains("payload") || names.contains(name),
        }
    }
}

/// The actions of one ACK, and how many claims were left out because their name is too long.
#[derive(Debug)]
pub struct Answer {
    /// `valid` is the last.
    pub actions: Vec<Action>,
    /// Claims without a variable.
    pub long_names: u64,
}

/// The variables of `decision`.
pub fn answer(decision: &Decision, variables: &Variables, claims: Option<&[String]>) -> Answer {
    let mut answer = Answer { actions: Vec::new(), long_names: 0 };
    let outcome = &decision.outcome;
    if let Some(policy) = &decision.policy {
        answer.set(variables, "policy", || policy.clone().into());
    }
    if let Some(id) = &decision.id {
        answer.set(variables, "id", || id.clone().into());
    }
    if let Some(version) = decision.version {
        let name = match version {
            TokenVersion::Stateless => "stateless",
            TokenVersion::Legacy => "legacy",
        };
        answer.set(variables, name, || true.into());
    }
    answer.set(variables, "detail", || outcome.detail().into());
    if let Some(challenge) = decision.challenge() {
        answer.set(variables, "challenge", || challenge.into());
    }
    if let Some(signed) = outcome.shown() {
        answer.set(variables, "binding", || decision.confirmation.as_str().into());
        if let Some(header) = signed.protected_header() {
            answer.set(variables, "header", || header.into());
        }
        answer.set(variables, "body", || signed.claims.as_json().into());
        answer.claims(&signed.claims, &decision.names, variables, claims);
    }
    answer.push("reason".to_owned(), outcome.reason().as_str().into());
    answer.push("valid".to_owned(), matches!(outcome, Outcome::Accepted(_)).into());
    answer
}

impl Answer {
    fn push(&mut self, name: String, value: TypedData) {
        self.actions.push(Action::SetVar { scope: VarScope::Transaction, name, value });
    }

    fn set(&mut self, variables: &Variables, name: &str, value: impl FnOnce() -> TypedData) {
        if variables.contains(name) {
            self.push(name.to_owned(), value());
        }
    }

    fn claims(
        &mut self,
        claims: &Claims,
        names: &ClaimNames,
        variables: &Variables,
        chosen: Option<&[String]>,
    ) {
        let found: Vec<(&str, Claim<'_>)> = match chosen {
            None => {
                let short = names.iter().filter_map(|(name, claim)| Some((name, claims.path(claim)?)));
                let own = claims.iter().filter(|(claim, _)| !is_spoken_for(claim, names));
                own.chain(short).collect()
            }
            Some(paths) => paths
                .iter()
                .filter_map(|path| Some((path.as_str(), claims.path(&names.path(path))?)))
                .collect(),
        };
        let named: Vec<(String, bool, Claim<'_>)> = found
            .into_iter()
            .filter_map(|(claim, value)| {
                let name = variable_name(claim);
                let exact = name.strip_prefix(PAYLOAD) == Some(claim);
                // A variable with a short name is that of its claim, whatever else would be folded into it.
                let own = exact || !name.strip_prefix(PAYLOAD).is_some_and(|folded| names.has(folded));
                (own && name != PAYLOAD && variables.contains_claim(&name)).then_some((name, exact, value))
            })
            .collect();
        // How many claims share a name.
        let mut rivals: HashMap<&str, u32> = HashMap::with_capacity(named.len());
        for (name, ..) in &named {
            *rivals.entry(name).or_default() += 1;
        }
        let wins: Vec<bool> =
            named.iter().map(|(name, exact, _)| *exact || rivals.get(name.as_str()) == Some(&1)).collect();
        for ((name, _, value), wins) in named.into_iter().zip(wins) {
            if !wins {
                continue;
            }
            if PREFIX.len() + name.len() > MAX_NAME_BYTES {
                self.long_names += 1;
                continue;
            }
            self.push(name, typed(value));
        }
    }
}

/// Whether a claim has no variable of its own name: a short name means another one, or it has a short name because its own is
/// too long.
fn is_spoken_for(claim: &str, names: &ClaimNames) -> bool {
    let is_too_long = PREFIX.len() + PAYLOAD.len() + claim.len() > MAX_NAME_BYTES;
    names.has(claim) || (is_too_long && names.iter().any(|(_, long)| long == claim))
}

/// `payload.` and the claim's name, each character that HAProxy does not take in a name replaced by `_`.
fn variable_name(claim: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut name = String::with_capacity(PAYLOAD.len().saturating_add(claim.len()));
    name.push_str(PAYLOAD);
    if claim.chars().all(fits) {
        name.push_str(claim);
    } else {
        name.extend(claim.chars().map(|c| if fits(c) { c } else { '_' }));
    }
    name
}

fn typed(claim: Claim<'_>) -> TypedData {
    match claim {
        Claim::Null => "null".into(),
        Claim::Bool(value) => value.into(),
        Claim::Int(value) => value.into(),
        Claim::Number(text) | Claim::Json(text) => text.into(),
        Claim::String(text) => text.into_owned().into(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
