//! `token-server restore USER`

use clap::Args;
use serde_json::{Map, Value, json};

use super::Desk;
use super::subject::{self, Known};
use super::why::Why;
use crate::cli::ask::{self, Answer};
use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::Output;
use crate::cli::pages::rows_of;
use crate::cli::percent::percent_encoded;
use crate::cli::whose::Whose;
use crate::cli::words::{self, shown};

/// Rules that are told.
const MOST: usize = 10;

/// Names that are told where the one that was said is not revoked.
const SIMILAR: usize = 5;

/// A user who may use his tokens again.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The subject of the user's tokens
    user: String,
    #[command(flatten)]
    why: Why,
    /// Yes, also where several revocations are removed
    #[arg(long)]
    yes: bool,
}

impl Restore {
    pub(super) fn judge(&self) -> Result<(), CliError> {
        subject::judge(&self.user)
    }

    pub(super) async fn run(&self, desk: &Desk<'_>) -> Result<Outcome, CliError> {
        let mut known = Known::ask(desk, &self.user).await?;
        let output = Output::new(desk.target.json);
        let held: Vec<Value> = known.revocations().cloned().collect();
        if held.is_empty() {
            let similar = self.similar(desk).await?;
            let answer = json!({ "removed": [], "subject": known.answer, "similar": similar });
            output.answer(&answer, |_| self.not_revoked(desk, &known, &similar))?;
            return Ok(Outcome::No);
        }
        let (now, more) = (known.now, known.more_revocations());
        let told = |before: &str| {
            let lines = held.iter().map(|held| format!("{before}{}", words::rule(held, now)));
            words::first(lines, MOST, more)
        };
        if held.len() > 1 {
            let number = u64::try_from(held.len()).unwrap_or(u64::MAX).saturating_add(more);
            let why =
                format!("{} is revoked by {number} rules:\n{}", shown(&self.user), told("  ").join("\n"));
            if ask::unless_said(self.yes, why, "--yes")? == Answer::No {
                return Ok(Outcome::No);
            }
        }
        let path = Whose::Subject(self.user.clone()).path();
        let mut removed = Vec::new();
        // An answer has a limited number of them.
        loop {
            for rule in known.revocations().filter_map(|held| held.get("rule")) {
                desk.admin.delete(&path, self.document(rule)).await?;
                removed.push(rule.clone());
            }
            if known.more_revocations() == 0 {
                break;
            }
            known = Known::ask(desk, &self.user).await?;
        }
        output.answer(&json!({ "removed": removed, "subject": known.answer }), |_| {
            let mut lines = vec![format!("Restored: {}.", shown(&self.user))];
            lines.extend(told("No longer refused: ").into_iter().map(|line| line + "."));
            lines.extend(known.beside(desk));
            lines.push(format!(
                "To take it back: {}, then undo with its id.",
                desk.command_about("history", &self.user)
            ));
            lines.join("\n")
        })?;
        Ok(Outcome::Done)
    }

    fn document(&self, rule: &Value) -> String {
        let mut members = Map::from_iter([("rule".to_owned(), rule.clone())]);
        members.extend(self.why.members());
        Value::Object(members).to_string()
    }

    /// Users of whom the name that was said is a part, and who have rules.
    async fn similar(&self, desk: &Desk<'_>) -> Result<Vec<String>, CliError> {
        let path = format!("/v1/rules?limit={SIMILAR}&search={}", percent_encoded(&self.user));
        let found = desk.admin.get(&path).await?;
        let names = rows_of(&found, "groups").filter_map(|row| row.get("group")?.as_str());
        Ok(names.filter(|name| *name != self.user).map(str::to_owned).collect())
    }

    fn not_revoked(&self, desk: &Desk<'_>, known: &Known, similar: &[String]) -> String {
        let mut lines = vec![format!("Not revoked: {}. Nothing was changed.", shown(&self.user))];
        if !similar.is_empty() {
            let names: Vec<String> = similar.iter().map(|name| shown(name)).collect();
            lines.push(format!("Similar names that have rules: {}.", names.join(", ")));
        }
        lines.extend(known.beside(desk));
        lines.join("\n")
    }
}
