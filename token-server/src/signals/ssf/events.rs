//! What an event of a stream means: the event types of CAEP 1.0, RISC 1.0 and their drafts, and what each asks for. Pure.
//!
//! Most events say that something has ended: a session, an account, the worth of a credential. Some say so only with certain
//! values, such as a risk that is high now; the others say nothing that a rule could.

use serde_json::{Map, Value};

use crate::config::ssf::Action;

/// What is larger counts milliseconds, as drafts of CAEP had it: as seconds it is later than the year 5000.
const MAX_SECONDS: f64 = 100_000_000_000.0;

/// What the names of event types begin with.
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";
/// As Shared Signals was called in its drafts.
const SSE: &str = "https://schemas.openid.net/secevent/sse/event-type/";
/// OAuth Event Types 1.0, a draft that Google sends.
const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type/";

/// What only logout tokens have.
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// An event type that tells something of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventType {
    base: &'static str,
    /// As `[ssf.events]` names it.
    pub(crate) name: &'static str,
    when: When,
    /// What is done unless the configuration says otherwise. Absent: nothing has ended, so that nothing can be done.
    pub(crate) usual: Option<Action>,
}

/// With which values of an event something has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// `change_type` is `revoke`, `update` or `delete`: with a further credential nothing has ended.
    CredentialChanged,
    /// `current_status` is `not-compliant`.
    NotCompliant,
    /// `change_direction` is `decrease`.
    Decrease,
    /// `current_level` is `HIGH`.
    HighRisk,
}

const REVOKE: Option<Action> = Some(Action::Revoke);
const SHADOW: Option<Action> = Some(Action::Shadow);
const IGNORE: Option<Action> = Some(Action::Ignore);

const fn of(base: &'static str, name: &'static str, when: When, usual: Option<Action>) -> EventType {
    EventType { base, name, when, usual }
}

/// Every event type that is known here, but for those about the stream itself.
pub(crate) const TYPES: [EventType; 25] = [
    of(CAEP, "session-revoked", When::Always, REVOKE),
    of(CAEP, "credential-change", When::CredentialChanged, REVOKE),
    of(CAEP, "token-claims-change", When::Always, SHADOW),
    of(CAEP, "assurance-level-change", When::Decrease, SHADOW),
    of(CAEP, "device-compliance-change", When::NotCompliant, SHADOW),
    of(CAEP, "risk-level-change", When::HighRisk, SHADOW),
    of(CAEP, "session-established", When::Always, None),
    of(CAEP, "session-presented", When::Always, None),
    of(RISC, "account-disabled", When::Always, REVOKE),
    of(RISC, "account-purged", When::Always, REVOKE),
    of(RISC, "account-credential-change-required", When::Always, REVOKE),
    of(RISC, "credential-compromise", When::Always, REVOKE),
    of(RISC, "sessions-revoked", When::Always, REVOKE),
    of(RISC, "identifier-changed", When::Always, IGNORE),
    of(RISC, "identifier-recycled", When::Always, IGNORE),
    of(RISC, "recovery-activated", When::Always, IGNORE),
    of(RISC, "recovery-information-changed", When::Always, IGNORE),
    of(RISC, "account-enabled", When::Always, None),
    of(RISC, "opt-in", When::Always, None),
    of(RISC, "opt-out-initiated", When::Always, None),
    of(RISC, "opt-out-cancelled", When::Always, None),
    of(RISC, "opt-out-effective", When::Always, None),
    of(OAUTH, "tokens-revoked", When::Always, REVOKE),
    // Its subject is a refresh token, of which no access token tells.
    of(OAUTH, "token-revoked", When::Always, None),
    // As RISC 1.0 called opt-out-effective first.
    of(RISC, "opt-out", When::Always, None),
];

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Something has ended.
    Ended(EventType),
    /// Nothing has ended.
    Nothing(EventType),
    /// Whether the stream works: a test that this side, or the sender, asked for.
    Verification,
    /// The stream was paused, ended or begun again.
    StreamUpdated,
    /// It is not known what.
    Unknown,
}

/// Why an event cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EventFault {
    /// It is of another specification.
    #[error("it is a logout token, which belongs to /backchannel-logout")]
    Logout,
    /// What its type says that it has is missing, or of another form.
    #[error("the event has no text in {0}, or none that its type defines")]
    Member(&'static str),
    /// It happened at no time.
    #[error("event_timestamp is no time: seconds since 1970, a number above 0")]
    Timestamp,
}

/// What an event of this type says.
///
/// # Errors
/// See [`EventFault`].
pub(crate) fn meaning(kind: &str, holds: &Map<String, Value>) -> Result<Meaning, EventFault> {
    if kind == LOGOUT {
        return Err(EventFault::Logout);
    }
    for base in [SSF, SSE, RISC] {
        match kind.strip_prefix(base) {
            Some("verification") => return Ok(Meaning::Verification),
            Some("stream-updated") => return Ok(Meaning::StreamUpdated),
            Some(_) | None => {}
        }
    }
    let known = TYPES.iter().find(|known| kind.strip_prefix(known.base) == Some(known.name));
    let Some(known) = known else { return Ok(Meaning::Unknown) };
    let ended = known.usual.is_some() && known.when.holds(holds)?;
    Ok(if ended { Meaning::Ended(*known) } else { Meaning::Nothing(*known) })
}

/// When it happened, in whole seconds, if the event says so.
///
/// # Errors
/// It says what is no time.
pub(crate) fn timestamp(holds: &Map<String, Value>) -> Result<Option<i64>, EventFault> {
    let Some(told) = holds.get("event_timestamp") else { return Ok(None) };
    let told = told.as_f64().filter(|told| *told >= 1.0 && *told < MAX_SECONDS * 1_000.0);
    let told = told.ok_or(EventFault::Timestamp)?;
    let seconds = if told < MAX_SECONDS { told } else { told / 1_000.0 };
    // Below 10^11: a whole number of seconds that is exact in both types.
    let whole = format!("{:.0}", seconds.floor());
    whole.parse().map(Some).map_err(|_| EventFault::Timestamp)
}

impl EventType {
    /// The type that `[ssf.events]` calls so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TYPES.into_iter().find(|known| known.name == name)
    }
}

impl When {
    fn holds(self, holds: &Map<String, Value>) -> Result<bool, EventFault> {
        let word =
            |name: &'static str| holds.get(name).and_then(Value::as_str).ok_or(EventFault::Member(name));
        /// Which of a member's words means that something has ended; another word is no word of this specification.
        fn one_of(name: &'static str, word: &str, ended: &[&str], not: &[&str]) -> Result<bool, EventFault> {
            let is = |known: &&&str| known.eq_ignore_ascii_case(word);
            match (ended.iter().find(is), not.iter().find(is)) {
                (Some(_), _) => Ok(true),
                (None, Some(_)) => Ok(false),
                (None, None) => Err(EventFault::Member(name)),
            }
        }
        match self {
            Self::Always => Ok(true),
            Self::CredentialChanged => {
                let name = "change_type";
                one_of(name, word(name)?, &["revoke", "update", "delete"], &["create"])
            }
            Self::NotCompliant => {
                let name = "current_status";
                one_of(name, word(name)?, &["not-compliant"], &["compliant"])
            }
            Self::HighRisk => {
                let name = "current_level";
                one_of(name, word(name)?, &["HIGH"], &["LOW", "MEDIUM"])
            }
            // It is there only where the sender knows the level of before.
            Self::Decrease if !holds.contains_key("change_direction") => Ok(false),
            Self::Decrease => {
                let name = "change_direction";
                one_of(name, word(name)?, &["decrease"], &["increase"])
            }
        }
    }
}

#[cfg(test)]
mod tests;
