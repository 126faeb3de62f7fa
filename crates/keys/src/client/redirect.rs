//! Redirects, which stay on the origin that was asked.

use std::fmt;

use reqwest::redirect::{Action, Attempt, Policy};

use super::origin::Origin;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 3;

/// Why a redirect was not followed.
#[derive(Debug)]
pub(super) enum Redirected {
    /// It led to another origin.
    Away { from: Origin, to: Origin, setting: String },
    /// There were too many.
    TooOften,
}

impl fmt::Display for Redirected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { from, to, setting } => write!(
                out,
                "redirected from {from} to {to}, which is another origin; if it is the right one, name it in {setting}"
            ),
            Self::TooOften => write!(out, "redirected more than {MAX_REDIRECTS} times"),
        }
    }
}

impl std::error::Error for Redirected {}

/// A key server may move a document, not hand us to somebody else, nor off TLS. `setting` is where a URL can be set.
pub(super) fn policy(setting: String) -> Policy {
    Policy::custom(move |attempt| judge(attempt, &setting))
}

fn judge(attempt: Attempt<'_>, setting: &str) -> Action {
    let to = Origin::of(attempt.url());
    match attempt.previous().last().map(Origin::of) {
        Some(from) if from == to && attempt.previous().len() <= MAX_REDIRECTS => attempt.follow(),
        Some(from) if from != to => attempt.error(Redirected::Away { from, to, setting: setting.to_owned() }),
        Some(_) | None => attempt.error(Redirected::TooOften),
    }
}
