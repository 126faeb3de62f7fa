//! Rules from one store to another: one JSON object a line.
//!
//! ```text
//! {"group":"anna","rule":{"rt":"x"},"expireAt":0,"mode":"enforce","note":"why","by":"who"}
//! ```

use std::io::BufRead;

use axum::http::StatusCode;
use rules::{ExpireAt, Rule};
use serde_json::{Map, Value, json};
use service::exit;

use super::admin::Admin;
use super::error::CliError;
use super::outcome::Outcome;
use super::output::{self, Output};
use super::pages::{next, page, rows_of};
use super::whose::Whose;

/// What a line may have; `confirm`, and `forever` where there is no end, are said for all: they were in force where they
/// come from.
const MEMBERS: [&str; 6] = ["group", "rule", "expireAt", "mode", "note", "by"];

/// Rules after which the command tells how far it is.
const PROGRESS: usize = 10_000;

/// Faulty lines that are told.
const MAX_FAULTS: usize = 20;

/// A rule that is to be written.
struct Draft {
    line: usize,
    end: ExpireAt,
    /// As the API takes it.
    body: Value,
}

/// What became of the rules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Imported {
    written: usize,
    /// Ended while others were written.
    ended: usize,
    /// Why, with the line.
    refused: Vec<String>,
}

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
    let (drafts, ended_before) = read(std::io::stdin().lock(), clock())?;
    let Imported { written, ended, refused } = write(admin, &drafts, clock).await?;
    let ended = ended.saturating_add(ended_before);
    let imported = json!({ "imported": written, "ended": ended, "refused": refused.len() });
    output.answer(&imported, |_| {
        format!("imported: {written}, left out because they have ended: {ended}, refused: {}", refused.len())
    })?;
    if refused.is_empty() { Ok(Outcome::Done) } else { Err(CliError::PartlyImported(refused)) }
}

/// The rules of all lines, and how many have ended at `now`.
fn read(input: impl BufRead, now: i64) -> Result<(Vec<Draft>, usize), CliError> {
    let mut drafts = Vec::new();
    let mut faults = Vec::new();
    let mut ended: usize = 0;
    for (index, line) in input.lines().enumerate() {
        let line = line.map_err(CliError::Input)?;
        if line.trim().is_empty() {
            continue;
        }
        let number = index.saturating_add(1);
        match draft(&line) {
            Ok((_, end)) if end.has_passed(now) => ended = ended.saturating_add(1),
            Ok((body, end)) => drafts.push(Draft { line: number, end, body }),
            Err(why) if faults.len() < MAX_FAULTS => faults.push(format!("line {number}: {why}")),
            Err(_) => {}
        }
    }
    if faults.is_empty() { Ok((drafts, ended)) } else { Err(CliError::Lines(faults)) }
}

async fn write(admin: &Admin, drafts: &[Draft], clock: fn() -> i64) -> Result<Imported, CliError> {
    let mut imported = Imported::default();
    for (done, Draft { line, end, body }) in drafts.iter().enumerate() {
        if done > 0 && done.is_multiple_of(PROGRESS) {
            exit::say("token-server", &format!("{done} of {} rules", drafts.len()));
        }
        let group = body.get("group").and_then(Value::as_str).unwrap_or_default();
        match admin.post(Whose::of_group(group).route(), body.to_string()).await {
            Ok(_) => imported.written = imported.written.saturating_add(1),
            // It ended while those before it were written.
            Err(CliError::Refused { .. }) if end.has_passed(clock()) => {
                imported.ended = imported.ended.saturating_add(1);
            }
            // One rule that cannot be taken keeps no other one out.
            Err(cause @ CliError::Refused { status, .. }) if !is_of_all(status) => {
                imported.refused.push(format!("line {line}: {cause}"));
            }
            Err(cause) => {
                let written = imported.written;
                return Err(CliError::ImportEnded { line: *line, written, cause: Box::new(cause) });
            }
        }
    }
    Ok(imported)
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
    use crate::cli::admin::Missing;
    use crate::cli::target::Target;
    use crate::reconfigure::Origin;

    #[tokio::test]
    async fn a_rule_that_ended_meanwhile_or_is_refused_keeps_no_later_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target { store: Some(folder.path().join("rules.redb")), ..Target::default() };
        let config = Origin::read(Vec::new()).unwrap().config().unwrap();
        let admin = Admin::open(&target, config, Missing::Create).await.unwrap();
        let long = "x".repeat(2_000);
        let lines = format!(
            "{}\n\n{}\n{}\n{}\n{}\n",
            r#"{"group":"a","rule":{"a":1},"expireAt":5}"#,
            r#"{"group":"a","rule":{"a":2},"expireAt":7}"#,
            r#"{"group":"a","rule":{"a":3}}"#,
            format_args!(r#"{{"group":"a","rule":{{"a":4}},"note":"{long}"}}"#),
            r#"{"group":"b","rule":{"b":1}}"#,
        );
        let (drafts, ended) = read(lines.as_bytes(), 6).unwrap();
        assert_eq!((drafts.len(), ended), (4, 1));
        let imported = write(&admin, &drafts, || 8).await.unwrap();
        assert_eq!((imported.written, imported.ended, imported.refused.len()), (2, 1, 1), "{imported:?}");
        assert!(imported.refused[0].starts_with("line 5: answered 422"), "{imported:?}");
        assert!(imported.refused[0].contains("note"), "{imported:?}");
        let groups = admin.get("/v1/rules").await.unwrap();
        assert_eq!(rows_of(&groups, "groups").count(), 2, "{groups}");
    }

    #[test]
    fn a_fault_of_all_rules_ends_an_import_at_once() {
        for (status, expected) in
            [(401, true), (403, true), (404, true), (503, true), (507, false), (409, false), (422, false)]
        {
            assert_eq!(is_of_all(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }

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
