//! `token-server history [USER]`

use clap::Args;
use jose::UnixTime;
use serde_json::Value;
use service::exit;

use super::{Desk, subject};
use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::{Output, line};
use crate::cli::pages::{next, rows_of};
use crate::cli::percent::percent_encoded;
use crate::cli::words::{self, argument, moment, shown, tokens_of, until};
use crate::store::EVERYBODY;
use crate::when;
use crate::whole::Whole;

/// Whose changes, and which of them.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// The subject of a user's tokens; left out: the changes for all
    #[arg(conflicts_with = "everybody")]
    user: Option<String>,
    /// Only the rules for everybody
    #[arg(long)]
    everybody: bool,
    /// Only what was done by this token, process or signal
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only what was done since then: 4h ago, 2026-11-27, 2026-11-27T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was done before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many changes are told at once
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl History {
    pub(super) fn judge(&self) -> Result<(), CliError> {
        let now = crate::cli::time();
        for (name, text) in [("--since", &self.since), ("--until", &self.until)] {
            if let Some(text) = text {
                when::parse_past(text, now)
                    .map_err(|why| CliError::Argument { name, why: why.to_string() })?;
            }
        }
        self.user.as_deref().map_or(Ok(()), subject::judge)
    }

    pub(super) async fn run(&self, desk: &Desk<'_>) -> Result<Outcome, CliError> {
        let output = Output::new(desk.target.json);
        let limit = usize::from(self.limit);
        let mut told: usize = 0;
        let mut after = self.after.clone();
        // A page may have few entries, or none, and a next.
        loop {
            let page = desk.admin.get(&self.path(limit.saturating_sub(told), after.as_deref())).await?;
            let now = crate::cli::time();
            for entry in rows_of(&page, "entries") {
                output.answer(entry, |entry| in_words(entry, now))?;
                told = told.saturating_add(1);
            }
            after = next(&page);
            if after.is_none() || told >= limit {
                break;
            }
        }
        match after {
            Some(next) => {
                let words = format!("history{} --after={}", self.words(), argument(&next));
                let command = match &self.user {
                    Some(user) => desk.command_about(&words, user),
                    None => desk.command(&words),
                };
                exit::say("token-server", &format!("there are more: {command}"));
            }
            None if told == 0 && output == Output::People => line("nothing was done that is on record")?,
            None => {}
        }
        Ok(if told == 0 && self.user.is_some() { Outcome::No } else { Outcome::Done })
    }

    fn path(&self, limit: usize, cursor: Option<&str>) -> String {
        let mut path = format!("/v1/audit?limit={limit}");
        for (name, value) in [
            ("group", self.user.as_deref()),
            ("who", self.who.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
            ("cursor", cursor),
        ] {
            if let Some(value) = value {
                path += &format!("&{name}={}", percent_encoded(value));
            }
        }
        if self.everybody {
            path += "&everybody=true";
        }
        path
    }

    /// The options of the same question, as they are typed.
    fn words(&self) -> String {
        let mut words = String::new();
        for (name, value) in [("--who", &self.who), ("--since", &self.since), ("--until", &self.until)] {
            if let Some(value) = value {
                words += &format!(" {name}={}", argument(value));
            }
        }
        if self.everybody {
            words += " --everybody";
        }
        words
    }
}

/// A change: when, who, what, and its id.
pub(super) fn in_words(entry: &Value, now: UnixTime) -> String {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = words::time(entry, "at").map_or_else(|| shown(text("at")), |at| moment(at, now));
    let who = entry.pointer("/who/name").and_then(Value::as_str).map_or_else(|| "unknown".to_owned(), shown);
    let by = entry.get("by").and_then(Value::as_str).map(|by| format!(" for {}", shown(by)));
    let note = entry.get("note").and_then(Value::as_str).map(|note| format!(": {}", shown(note)));
    let undoes =
        entry.get("undoes").and_then(Value::as_str).map(|id| format!(", which undoes {}", shown(id)));
    format!(
        "{at}  {who}{}  {}{}{}  id {}",
        by.unwrap_or_default(),
        done(entry, now),
        undoes.unwrap_or_default(),
        note.unwrap_or_default(),
        shown(text("id")),
    )
}

/// What was done to which rule.
fn done(entry: &Value, now: UnixTime) -> String {
    let group = entry.get("group").and_then(Value::as_str).unwrap_or_default();
    let whom = if group == EVERYBODY { "everybody".to_owned() } else { shown(group) };
    let rule = entry.get("rule").unwrap_or(&Value::Null);
    let tokens = match rule {
        // What another program wrote, and no rule.
        Value::String(text) => format!("a text that is not understood: {}", shown(text)),
        rule => tokens_of(rule),
    };
    let state = |name: &str| entry.get(name).filter(|state| !state.is_null());
    let is_tried = |state: &Value| state.get("mode").and_then(Value::as_str) == Some("shadow");
    let end = |state: &Value| until(state.get("expireAt").and_then(Value::as_i64).unwrap_or_default(), now);
    let is_whole = !matches!(rule, Value::String(_)) && Whole::of(&rule.to_string()).is_some();
    match (state("before"), state("after")) {
        (None, Some(after)) if is_tried(after) => format!("tried on {whom}: {tokens}, {}", end(after)),
        (None, Some(after)) if is_whole => format!("revoked {whom}: {tokens}, {}", end(after)),
        (None, Some(after)) => format!("wrote a rule for {whom}: {tokens}, {}", end(after)),
        (Some(before), Some(after)) => {
            let mode = |state: &Value| if is_tried(state) { "tried only, " } else { "" };
            format!(
                "changed a rule for {whom}: {tokens}, {}{}; it was {}{}",
                mode(after),
                end(after),
                mode(before),
                end(before)
            )
        }
        (Some(before), None) if is_whole && !is_tried(before) => {
            format!("restored {whom}: {tokens}, which held {}", end(before))
        }
        (Some(before), None) => format!("removed a rule for {whom}: {tokens}, which held {}", end(before)),
        (None, None) => format!("changed nothing for {whom}: {tokens}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_told_by_when_who_what_and_its_id() {
        let now = UnixTime::from_secs(1_795_820_810);
        let state = |end: i64| json!({"mode": "enforce", "expireAt": end, "writtenAt": 1_795_820_570});
        let tried = json!({"mode": "shadow", "expireAt": 0, "writtenAt": 1_795_820_570});
        let rule = json!({"iat": {"lt": 1_795_820_571}});
        let whole = "tokens issued before 2026-11-27T23:02:51Z";
        let until = "until 2026-12-27T23:06:50Z (in 30 days)";
        for (group, rule, before, after, told) in [
            ("anna", rule.clone(), Value::Null, state(1_798_412_810), format!("revoked anna: {whole}, {until}")),
            ("anna", rule.clone(), state(0), Value::Null, format!("restored anna: {whole}, which held for ever")),
            (
                "anna",
                rule.clone(),
                state(0),
                state(1_798_412_810),
                format!("changed a rule for anna: {whole}, {until}; it was for ever"),
            ),
            (
                "g",
                json!({"rt": "x"}),
                Value::Null,
                state(0),
                "wrote a rule for everybody: tokens that match {\"rt\":\"x\"}, for ever".to_owned(),
            ),
            (
                "anna",
                json!({"rt": "x"}),
                tried.clone(),
                state(0),
                "changed a rule for anna: tokens that match {\"rt\":\"x\"}, for ever; it was tried only, for ever".to_owned(),
            ),
            ("anna", json!({}), Value::Null, tried.clone(), "tried on anna: every token, those of later logins too, for ever".to_owned()),
            (
                "a\u{1b}[2J",
                json!("no\nrule"),
                state(0),
                Value::Null,
                "removed a rule for a\\u{1b}[2J: a text that is not understood: no\\u{a}rule, which held for ever".to_owned(),
            ),
        ] {
            let entry = json!({
                "id": "01J", "at": "2026-11-27T23:02:50.123Z", "who": {"name": "desk", "kind": "token"}, "by": "olga",
                "note": "lost\u{7}", "action": "write", "group": group, "rule": rule, "before": before, "after": after,
            });
            let at = "2026-11-27T23:02:50Z (4 min ago)  desk for olga";
            assert_eq!(in_words(&entry, now), format!("{at}  {told}: lost\\u{{7}}  id 01J"));
        }
    }
}
