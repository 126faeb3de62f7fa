//! Rules from one store to another, the way out: one JSON object a line.
//!
//! ```text
//! {"group":"anna","rule":{"rt":"x"},"expireAt":0,"mode":"enforce","note":"why","by":"who"}
//! ```

use serde_json::{Map, Value, json};

use super::admin::Admin;
use super::error::CliError;
use super::outcome::Outcome;
use super::output;
use super::pages::{next, page, rows_of};
use super::whose::Whose;

/// What a line may have; `confirm`, and `forever` where there is no end, are said for all: they were in force where they
/// come from.
pub(super) const MEMBERS: [&str; 6] = ["group", "rule", "expireAt", "mode", "note", "by"];

/// Prints every rule.
pub(super) async fn export(admin: &Admin) -> Result<Outcome, CliError> {
    let mut left_out = 0;
    let mut after = None;
    loop {
        let groups = page(admin, "/v1/rules", after.as_deref()).await?;
        for group in rows_of(&groups, "groups").filter_map(|row| row.get("group").and_then(Value::as_str)) {
            left_out += export_group(admin, group).await?;
        }
        after = next(&groups);
        if after.is_none() {
            break;
        }
    }
    if left_out > 0 { Err(CliError::LeftOut(left_out)) } else { Ok(Outcome::Done) }
}

/// Prints the rules of a group; tells how many are not understood.
async fn export_group(admin: &Admin, group: &str) -> Result<usize, CliError> {
    let mut left_out = 0;
    let mut after = None;
    loop {
        let rules = page(admin, &Whose::of_group(group).path(), after.as_deref()).await?;
        for rule in rows_of(&rules, "rules") {
            if rule.get("error").is_some() {
                left_out += 1;
                continue;
            }
            let mut exported = Map::from_iter([("group".to_owned(), json!(group))]);
            exported.extend(
                MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), rule.get(name)?.clone()))),
            );
            output::line(Value::Object(exported))?;
        }
        after = next(&rules);
        if after.is_none() {
            return Ok(left_out);
        }
    }
}
