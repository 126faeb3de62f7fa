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
    Away { from: Origin, to: Origin },
    /// There were too many.
    TooOften,
}

impl fmt::Display for Redirected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { from, to } => {
                write!(out, "redirected from {from} to {to}, which is another origin")
            }
            Self::TooOften => write!(out, "redirected more than {MAX_REDIRECTS} times"),
        }
    }
}

impl std::error::Error for Redirected {}

/// A key server may move a document, not hand us to another server, nor off TLS.
pub(super) fn policy() -> Policy {
    Policy::custom(judge)
}

/// No redirect is followed: it is the answer.
pub(super) fn none() -> Policy {
    Policy::none()
}

fn judge(attempt: Attempt<'_>) -> Action {
    let to = Origin::of(attempt.url());
    match attempt.previous().last().map(Origin::of) {
        Some(from) if from == to && attempt.previous().len() <= MAX_REDIRECTS => attempt.follow(),
        Some(from) if from != to => attempt.error(Redirected::Away { from, to }),
        Some(_) | None => attempt.error(Redirected::TooOften),
    }
}
