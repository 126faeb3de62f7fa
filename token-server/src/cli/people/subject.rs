//! What the server knows of a user.

use jose::{Profile, UnixTime};
use serde_json::Value;

use super::Desk;
use crate::cli::error::CliError;
use crate::cli::pages::rows_of;
use crate::cli::percent::percent_encoded;
use crate::cli::whose::Whose;
use crate::cli::words::{self, count, length, moment, shown};
use crate::revocations::MAX_GROUP_BYTES;

/// The answer of `GET /v1/subjects/{subject}`.
pub(super) struct Known {
    pub(super) name: String,
    pub(super) answer: Value,
    /// By the server's clock.
    pub(super) now: UnixTime,
}

/// A user's name, as a command line has it.
pub(super) fn judge(name: &str) -> Result<(), CliError> {
    let refuse = |why: String| Err(CliError::Argument { name: "USER", why });
    if name.is_empty() {
        return refuse("is empty; expected the subject of the user's tokens".to_owned());
    }
    if name.len() > MAX_GROUP_BYTES {
        return refuse(format!("is longer than {MAX_GROUP_BYTES} bytes, so it is no user's"));
    }
    Whose::subject(name.to_owned()).map(|_| ())
}

impl Known {
    pub(super) async fn ask(desk: &Desk<'_>, name: &str) -> Result<Self, CliError> {
        let answer = desk.admin.get(&format!("/v1/subjects/{}", percent_encoded(name))).await?;
        let now = words::time(&answer, "now").ok_or(CliError::Incomplete { name: "now" })?;
        Ok(Self { name: name.to_owned(), answer, now })
    }

    pub(super) fn profile(&self) -> Result<Profile, CliError> {
        let profile = self.answer.get("profile").and_then(Value::as_str);
        profile.and_then(|name| name.parse().ok()).ok_or(CliError::Incomplete { name: "profile" })
    }

    /// In how long a rule may end, and whether no token outlives that.
    pub(super) fn usual_end(&self) -> Result<(i64, bool), CliError> {
        let end = self.answer.get("usualEnd");
        let seconds = end.and_then(|end| end.get("seconds")?.as_i64());
        let seconds = seconds.ok_or(CliError::Incomplete { name: "usualEnd" })?;
        let is_configured = end.and_then(|end| end.get("configured")?.as_bool()).unwrap_or(false);
        Ok((seconds, is_configured))
    }

    /// What revokes the user whole.
    pub(super) fn revocations(&self) -> impl Iterator<Item = &Value> {
        rows_of(&self.answer, "revocations")
    }

    /// How many more rules do than [`revocations`](Self::revocations) has.
    pub(super) fn more_revocations(&self) -> u64 {
        self.answer.get("moreRevocations").and_then(Value::as_u64).unwrap_or(0)
    }

    /// When the user was last seen, or what may be wrong with the name.
    pub(super) fn sighting(&self, desk: &Desk<'_>) -> Vec<String> {
        if let Some(at) = words::time(&self.answer, "lastSeen") {
            return vec![format!("Last seen: {}.", moment(at, self.now))];
        }
        if desk.admin.is_here() {
            return vec!["Last seen: not known; only a running server remembers that.".to_owned()];
        }
        let memory = self.answer.get("memory");
        let number = |name: &str| memory.and_then(|memory| memory.get(name)?.as_u64()).unwrap_or(0);
        let window = length(number("seconds"));
        if number("subjects") == 0 {
            return vec![format!("Last seen: not known; this server has seen no user in the last {window}.")];
        }
        let mut lines =
            vec![format!("Last seen: not in the last {window}. Is the name spelled as the tokens have it?")];
        let similar: Vec<String> =
            rows_of(&self.answer, "similar").filter_map(Value::as_str).map(shown).collect();
        if !similar.is_empty() {
            lines.push(format!("Similar names seen lately: {}.", similar.join(", ")));
        }
        lines
    }

    /// What else may refuse the user's tokens.
    pub(super) fn beside(&self, desk: &Desk<'_>) -> Vec<String> {
        let number = |name: &str| self.answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        let mut lines = Vec::new();
        let others = number("otherRules");
        if others > 0 {
            lines.push(format!(
                "{} on some of the tokens of {}, such as those of sessions that were ended, {}: {}",
                count(others, "rule", "rules"),
                shown(&self.name),
                if others == 1 { "stays" } else { "stay" },
                desk.command_about("rules list", &self.name),
            ));
        }
        let everybodys = number("everybodysRules");
        if everybodys > 0 {
            lines.push(format!(
                "{} for everybody {} for {} as well: {}",
                count(everybodys, "rule", "rules"),
                if everybodys == 1 { "holds" } else { "hold" },
                shown(&self.name),
                desk.command("rules list --everybody"),
            ));
        }
        lines
    }
}
