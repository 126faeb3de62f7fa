//! Rules from one store to another: one JSON object a line.
//!
//! ```text
//! {"group":"anna","rule":{"rt":"x"},"expireAt":0,"mode":"enforce","note":"why","by":"who"}
//! ```

use std::io::BufRead as _;

use axum::http::StatusCode;
use rules::{ExpireAt, Rule};
use serde_json::{Map, Value, json};
use service::exit;

use super::admin::Admin;
use super::output::{self, Output};
use super::rules::{next, page, rows_of};
use super::whose::Whose;
use super::{CliError, Outcome};

/// What a line may have; `confirm`, and `forever` where there is no end, are said for all: they were in force where they
/// come from.
const MEMBERS: [&str; 6] = ["group", "rule", "expireAt", "mode", "note", "by"];

/// Rules after which the command tells how far it is.
const PROGRESS: usize = 10_000;

/// Faulty lines that are told.
const MAX_FAULTS: usize = 20;

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

/// Writes the rules of standard input: none of them if one line is faulty. Rules that have ended are left out. Those that
/// the server refuses are told, and the others written.
pub(super) async fn import(admin: &Admin, clock: fn() -> i64, output: Output) -> Result<Outcome, CliError> {
    let mut drafts = Vec::new();
    let mut faults = Vec::new();
    let mut ended: usize = 0;
    let now = clock();
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(CliError::Input)?;
        if line.trim().is_empty() {
            continue;
        }
        let number = index.saturating_add(1);
        match draft(&line) {
            Ok((_, end)) if end.has_passed(now) => ended += 1,
            Ok((draft, end)) => drafts.push((number, end, draft)),
            Err(why) if faults.len() < MAX_FAULTS => faults.push(format!("line {number}: {why}")),
            Err(_) => {}
        }
    }
    if !faults.is_empty() {
        return Err(CliError::Lines(faults));
    }
    let mut written: usize = 0;
    let mut refused = Vec::new();
    for (done, (line, end, draft)) in drafts.iter().enumerate() {
        if done > 0 && done.is_multiple_of(PROGRESS) {
            exit::say("token-server", &format!("{done} of {} rules", drafts.len()));
        }
        let group = draft.get("group").and_then(Value::as_str).unwrap_or_default();
        match admin.post(Whose::of_group(group).route(), draft.to_string()).await {
            Ok(_) => written = written.saturating_add(1),
            // It ended while those before it were written.
            Err(CliError::Refused { .. }) if end.has_passed(clock()) => ended += 1,
            // One rule that cannot be taken keeps no other one out.
            Err(cause @ CliError::Refused { status, .. }) if !is_of_all(status) => {
                refused.push(format!("line {line}: {cause}"));
            }
            Err(cause) => return Err(CliError::ImportEnded { line: *line, written, cause: Box::new(cause) }),
        }
    }
    let imported = json!({ "imported": written, "ended": ended, "refused": refused.len() });
    output.answer(&imported, |_| {
        format!("imported: {written}, left out because they have ended: {ended}, refused: {}", refused.len())
    })?;
    if refused.is_empty() { Ok(Outcome::Done) } else { Err(CliError::PartlyImported(refused)) }
}

/// Whether every other rule would be refused alike: another bearer token is wanted, or the store fails.
fn is_of_all(status: StatusCode) -> bool {
    status == StatusCode::UNAUTHORIZED
        || status == StatusCode::FORBIDDEN
        || status == StatusCode::NOT_FOUND
        || (status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE)
}

/// A line as the API takes it, and when its rule ends.
fn draft(line: &str) -> Result<(Value, ExpireAt), String> {
    let mut members: Map<String, Value> =
        serde_json::from_str(line).map_err(|_| "expected a JSON object".to_owned())?;
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("{unknown}: is not known here"));
    }
    if !members.get("group").is_some_and(Value::is_string) {
        return Err("group: expected a string".to_owned());
    }
    let rule = members.get("rule").ok_or("rule: is missing")?;
    Rule::parse(&rule.to_string()).map_err(|error| format!("rule: {error}"))?;
    let end = match members.get("expireAt") {
        None => 0,
        Some(end) => end.as_i64().ok_or("expireAt: expected unix seconds")?,
    };
    let end = ExpireAt::from_seconds(end);
    members.insert("confirm".to_owned(), Value::Bool(true));
    members.insert("forever".to_owned(), Value::Bool(end == ExpireAt::Never));
    Ok((Value::Object(members), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_line_is_told_by_its_member() {
        for (line, why) in [
            ("x", "expected a JSON object"),
            (r#"{"rule":{}}"#, "group: expected a string"),
            (r#"{"group":"a"}"#, "rule: is missing"),
            (r#"{"group":"a","rule":{},"x":1}"#, "x: is not known here"),
            (r#"{"group":"a","rule":{},"expireAt":"soon"}"#, "expireAt: expected unix seconds"),
        ] {
            assert_eq!(draft(line).unwrap_err(), why, "{line}");
        }
        assert!(draft(r#"{"group":"a","rule":5}"#).unwrap_err().starts_with("rule: "));
        let (draft, end) = draft(r#"{"group":"a","rule":{},"expireAt":7}"#).unwrap();
        assert_eq!(draft["confirm"], true);
        assert_eq!(end, ExpireAt::At(7));
    }
}
