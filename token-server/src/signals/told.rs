//! What a sender tells, once it is believed. Knows no HTTP and no store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

/// By which specification something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// OpenID Connect Back-Channel Logout.
    Logout,
    /// RFC 7009.
    Revoke,
    /// Global Token Revocation.
    Global,
    /// Shared signals.
    Ssf,
}

/// What a believed sender tells.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// By which specification.
    pub(crate) kind: Kind,
    /// Who says it: the issuer as it is configured, or the stream's name.
    pub(crate) sender: Arc<str>,
    /// The issuer that spoke; the trail names it as the one who says to do it.
    pub(crate) by: Arc<str>,
    /// The message's own name, which it keeps when it is sent again.
    pub(crate) jti: Option<String>,
    /// What ends. Empty: nothing, since the configuration has it so, or since nothing could be understood.
    pub(crate) ends: Vec<End>,
    /// What becomes of the rules.
    pub(crate) weight: Weight,
}

/// What becomes of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Weight {
    /// They revoke.
    Enforce,
    /// They are tried, since the configuration has it so.
    Shadow,
    /// They are tried, since what was told cannot be mapped exactly; an operator should know why.
    Inexact(String),
}

/// Tokens that end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    /// Whose tokens: all names of one issuer.
    pub(crate) issuers: Vec<String>,
    /// Where the rule stands.
    pub(crate) group: Group,
    /// Which of them.
    pub(crate) which: Which,
    /// How long the longest of these tokens lives.
    pub(crate) hold: Duration,
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Group {
    /// In the group of this subject.
    Subject(String),
    /// In that of everybody: the subject is not known.
    Everybody,
}

/// Which tokens of an issuer and a group end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Which {
    /// Those that were issued until then, and of which all this holds.
    IssuedUntil {
        /// Unix seconds, by the sender's clock.
        at: i64,
        /// Claims and their values.
        and: Vec<(String, Value)>,
    },
    /// Those of this session (`sid`).
    Session(String),
    /// The one of which all this holds.
    Token(Vec<(String, Value)>),
}

impl Kind {
    /// The word for it, in logs, metrics and the audit trail.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoke => "revoke",
            Self::Global => "global",
            Self::Ssf => "ssf",
        }
    }
}

/// The status of a stream (SSF 1.0 section 8.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Events are sent.
    Enabled,
    /// Events are held, and may be dropped.
    Paused,
    /// Events are neither sent nor held.
    Disabled,
}

impl Status {
    pub(crate) const ALL: [Self; 3] = [Self::Enabled, Self::Paused, Self::Disabled];

    /// The word of the specification.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}
