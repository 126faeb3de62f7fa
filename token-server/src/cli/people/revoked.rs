//! `token-server revoked`

use clap::Args;
use serde_json::Value;
use service::exit;

use super::Desk;
use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::Output;
use crate::cli::pages::{next, rows_of};
use crate::cli::percent::percent_encoded;
use crate::cli::words::{self, argument, shown};

/// Rules of one user that are told.
const MOST: usize = 5;

/// Whom to look for.
#[derive(Debug, Args)]
pub(crate) struct Revoked {
    /// Only users whose name has this in it, in small or capital letters; exit with 2 if none is revoked
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// How many users are told at once
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on behind this name
    #[arg(long, value_name = "NAME")]
    after: Option<String>,
}

impl Revoked {
    pub(super) async fn run(&self, desk: &Desk<'_>) -> Result<Outcome, CliError> {
        let search = self.search.as_deref().map(|text| format!("&search={}", percent_encoded(text)));
        let search = search.unwrap_or_default();
        let mut after = self.after.clone();
        let mut told: usize = 0;
        let limit = usize::from(self.limit);
        let output = Output::new(desk.target.json);
        loop {
            let rest = limit.saturating_sub(told);
            let from = after.as_deref().map(|name| format!("&after={}", percent_encoded(name)));
            let path = format!("/v1/revoked?limit={rest}{search}{}", from.unwrap_or_default());
            let page = desk.admin.get(&path).await?;
            self.tell(&page, output)?;
            told = told.saturating_add(rows_of(&page, "subjects").count());
            after = next(&page);
            if after.is_none() || told >= limit {
                break;
            }
        }
        match after {
            Some(name) => {
                let search = self.search.as_deref().map(|text| format!(" --search={}", argument(text)));
                let words = format!("revoked{} --after={}", search.unwrap_or_default(), argument(&name));
                exit::say("token-server", &format!("there are more: {}", desk.command(&words)));
            }
            None if told == 0 && !desk.target.json => {
                let found =
                    if self.search.is_some() { "no such user is revoked" } else { "no user is revoked" };
                crate::cli::output::line(found)?;
            }
            None => {}
        }
        Ok(if told == 0 && self.search.is_some() { Outcome::No } else { Outcome::Done })
    }

    fn tell(&self, page: &Value, output: Output) -> Result<(), CliError> {
        let now = words::time(page, "now").ok_or(CliError::Incomplete { name: "now" })?;
        if let Some(everybody) = page.get("everybody") {
            for rule in rows_of(everybody, "rules") {
                let row = of_everybody(rule);
                output.answer(&row, |_| format!("everybody: {}", words::rule(rule, now)))?;
            }
            if everybody.get("more").and_then(Value::as_bool) == Some(true) && output == Output::People {
                crate::cli::output::line("everybody: more rules; see token-server rules list --everybody")?;
            }
        }
        for row in rows_of(page, "subjects") {
            let name = shown(row.get("subject").and_then(Value::as_str).unwrap_or_default());
            output.answer(row, |row| {
                let rules =
                    rows_of(row, "revocations").map(|rule| format!("{name}: {}", words::rule(rule, now)));
                let more = row.get("moreRevocations").and_then(Value::as_u64).unwrap_or(0);
                words::first(rules, MOST, more).join("\n")
            })?;
        }
        Ok(())
    }
}

fn of_everybody(rule: &Value) -> Value {
    serde_json::json!({ "everybody": true, "revocations": [rule] })
}
