//! Rules from one store to another, the way in: lines as [`export`](super::export) prints them, many in one request.

use std::io::BufRead;

use axum::http::StatusCode;
use jose::UnixTime;
use rules::{ExpireAt, Rule};
use serde_json::{Map, Value, json};
use service::exit;

use super::admin::Admin;
use super::error::CliError;
use super::export::MEMBERS;
use super::outcome::Outcome;
use super::output::Output;
use super::pages::rows_of;
use crate::api::rules::{MAX_BATCH_BYTES, MAX_BATCH_LINES, MAX_BODY_BYTES};
use crate::payload::seconds;
use crate::store::EVERYBODY;
use crate::when;

/// Rules after which the command tells how far it is.
const PROGRESS: usize = 10_000;

/// Faulty lines that are told.
const MAX_FAULTS: usize = 20;

/// A rule that is to be written.
struct Draft {
    line: usize,
    end: ExpireAt,
    /// As the API takes it, on one line.
    body: String,
}

/// What became of the rules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Imported {
    /// Replaced ones included.
    written: usize,
    /// Rules that were there, and have the end and note of their line now.
    replaced: usize,
    /// Ended while others were written.
    ended: usize,
    /// Why, with the line.
    refused: Vec<String>,
}

/// Writes the rules of standard input: none of them if one line is faulty. Rules that have ended are left out. Those that
/// the server refuses are told, and the others written.
pub(super) async fn import(admin: &Admin, clock: fn() -> i64, output: Output) -> Result<Outcome, CliError> {
    let (drafts, ended_before) = read(std::io::stdin().lock(), clock())?;
    let Imported { written, replaced, ended, refused } = write(admin, drafts, clock).await?;
    let (ended, left_out) = (ended.saturating_add(ended_before), refused.len());
    let imported = json!({ "imported": written, "replaced": replaced, "ended": ended, "refused": left_out });
    output.answer(&imported, |_| {
        format!(
            "imported: {written} (were there before: {replaced}), left out because they have ended: {ended}, \
             refused: {left_out}"
        )
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
        match draft(&line, now) {
            Ok((_, end)) if end.has_passed(now) => ended = ended.saturating_add(1),
            Ok((body, end)) => drafts.push(Draft { line: number, end, body: body.to_string() }),
            Err(why) if faults.len() < MAX_FAULTS => faults.push(format!("line {number}: {why}")),
            Err(_) => {}
        }
    }
    if faults.is_empty() { Ok((drafts, ended)) } else { Err(CliError::Lines(faults)) }
}

/// Writes the rules, as many with each request as it may hold.
async fn write(admin: &Admin, drafts: Vec<Draft>, clock: fn() -> i64) -> Result<Imported, CliError> {
    let (drafts, long): (Vec<_>, Vec<_>) =
        drafts.into_iter().partition(|draft| draft.body.len() <= MAX_BODY_BYTES);
    let too_long = |draft: Draft| format!("line {}: is longer than {MAX_BODY_BYTES} bytes", draft.line);
    let mut imported = Imported { refused: long.into_iter().map(too_long).collect(), ..Imported::default() };
    let mut done: usize = 0;
    while let Some((batch, body)) = batch(drafts.get(done..).unwrap_or_default()) {
        match admin.post("/v1/import", body).await {
            Ok(answer) => imported.note(batch, &answer, clock)?,
            Err(cause) => {
                let line = batch.first().map_or(0, |draft| draft.line);
                return Err(CliError::ImportEnded {
                    line,
                    written: imported.written,
                    cause: Box::new(cause),
                });
            }
        }
        let before = done / PROGRESS;
        done = done.saturating_add(batch.len());
        if done / PROGRESS > before && done < drafts.len() {
            exit::say("token-server", &format!("{done} of {} rules", drafts.len()));
        }
    }
    Ok(imported)
}

/// The first of these rules that go together into one request, and its body.
fn batch(drafts: &[Draft]) -> Option<(&[Draft], String)> {
    let mut body = String::new();
    let mut len = 0;
    for draft in drafts.iter().take(MAX_BATCH_LINES) {
        if len > 0 && body.len().saturating_add(draft.body.len()) >= MAX_BATCH_BYTES {
            break;
        }
        body += &draft.body;
        body.push('\n');
        len += 1;
    }
    let batch = drafts.get(..len).filter(|batch| !batch.is_empty())?;
    Some((batch, body))
}

impl Imported {
    /// Takes note of an answer: one result for each rule of the batch.
    fn note(&mut self, batch: &[Draft], answer: &Value, clock: fn() -> i64) -> Result<(), CliError> {
        let strange = || CliError::Strange { status: StatusCode::OK };
        let mut results = rows_of(answer, "results");
        for draft in batch {
            let result = results.next().ok_or_else(strange)?;
            let text = |name: &str| result.get(name).and_then(Value::as_str);
            match text("result") {
                Some("written") => self.written = self.written.saturating_add(1),
                Some("replaced") => {
                    self.written = self.written.saturating_add(1);
                    self.replaced = self.replaced.saturating_add(1);
                }
                // It ended while those before it were written.
                Some("leftOut") if draft.end.has_passed(clock()) => self.ended = self.ended.saturating_add(1),
                // One rule that cannot be taken keeps no other one out.
                Some("leftOut") => {
                    let field = text("field").map(|field| format!("{field}: ")).unwrap_or_default();
                    let error = text("error").ok_or_else(strange)?;
                    self.refused.push(format!("line {}: {field}{error}", draft.line));
                }
                Some(_) | None => return Err(strange()),
            }
        }
        Ok(())
    }
}

/// A line as the API takes it, and when its rule ends.
fn draft(line: &str, now: i64) -> Result<(Value, ExpireAt), String> {
    let mut members: Map<String, Value> =
        serde_json::from_str(line).map_err(|_| "expected a JSON object".to_owned())?;
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("{unknown}: is not known here"));
    }
    let Some(group) = members.get("group").and_then(Value::as_str) else {
        return Err("group: expected a string".to_owned());
    };
    let is_everybodys = group == EVERYBODY;
    let rule = members.get("rule").ok_or("rule: is missing")?;
    Rule::parse(&rule.to_string()).map_err(|error| format!("rule: {error}"))?;
    let end = match members.get("expireAt") {
        None => 0,
        Some(Value::String(text)) => when::parse_future(text, UnixTime::from_secs(now))
            .map(|at| seconds(UnixTime::from_millis(at.as_millis().saturating_add(999))))
            .map_err(|why| format!("expireAt: {why}"))?,
        Some(end) => end.as_i64().ok_or("expireAt: expected unix seconds, or a time such as \"in 30d\"")?,
    };
    let end = ExpireAt::from_seconds(end);
    if members.get("expireAt").is_some_and(Value::is_string) {
        members.insert("expireAt".to_owned(), json!(end.as_seconds()));
    }
    if is_everybodys {
        members.remove("group");
        members.insert("everybody".to_owned(), Value::Bool(true));
    }
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

    async fn admin(folder: &tempfile::TempDir) -> Admin {
        let target = Target { store: Some(folder.path().join("rules.redb")), ..Target::default() };
        let config = Origin::read(service::settings::Environment::default()).unwrap().config().unwrap();
        Admin::open(&target, config, Missing::Create).await.unwrap()
    }

    #[tokio::test]
    async fn a_rule_that_ended_meanwhile_or_is_refused_keeps_no_later_one_out() {
        let folder = tempfile::tempdir().unwrap();
        let admin = admin(&folder).await;
        let long = "x".repeat(2_000);
        let huge = "x".repeat(MAX_BATCH_BYTES);
        let lines = format!(
            "{}\n\n{}\n{}\n{}\n{}\n{}\n{}\n",
            r#"{"group":"a","rule":{"a":1},"expireAt":5}"#,
            r#"{"group":"a","rule":{"a":2},"expireAt":7}"#,
            r#"{"group":"a","rule":{"a":3}}"#,
            format_args!(r#"{{"group":"a","rule":{{"a":4}},"note":"{long}"}}"#),
            format_args!(r#"{{"group":"a","rule":{{"a":5}},"note":"{huge}"}}"#),
            r#"{"group":"b","rule":{"b":1}}"#,
            r#"{"group":"b","rule":{"b":1},"expireAt":4000000000}"#,
        );
        let (drafts, ended) = read(lines.as_bytes(), 6).unwrap();
        assert_eq!((drafts.len(), ended), (6, 1));
        let Imported { written, replaced, ended, refused } = write(&admin, drafts, || 8).await.unwrap();
        assert_eq!((written, replaced, ended, refused.len()), (3, 1, 1, 2), "{refused:?}");
        assert!(refused[0].starts_with("line 6: is longer than"), "{refused:?}");
        assert!(refused[1].starts_with("line 5: note: has more than"), "{refused:?}");
        let groups = admin.get("/v1/rules").await.unwrap();
        assert_eq!(rows_of(&groups, "groups").count(), 2, "{groups}");
    }

    #[tokio::test]
    async fn more_rules_than_one_request_holds_are_all_written_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let admin = admin(&folder).await;
        let line = |number: usize, end: i64| {
            format!(r#"{{"group":"g","rule":{{"a":{number}}},"note":"why","expireAt":{end}}}"#) + "\n"
        };
        let count = 2 * MAX_BATCH_LINES + 1;
        let lines: String =
            (0..count).map(|number| line(number, 0)).chain([line(0, 4_000_000_000)]).collect();
        let (drafts, _) = read(lines.as_bytes(), 6).unwrap();
        let imported = write(&admin, drafts, || 8).await.unwrap();
        assert_eq!((imported.written, imported.replaced, imported.refused.len()), (count + 1, 1, 0));
        let groups = admin.get("/v1/rules").await.unwrap();
        assert_eq!(groups["groups"][0]["rules"], count, "{groups}");
        let rule = &admin.get("/v1/everybody/rules?limit=1").await.unwrap()["rules"][0];
        assert_eq!((&rule["expireAt"], &rule["note"]), (&json!(4_000_000_000_u64), &json!("why")));
    }

    #[test]
    fn a_request_holds_no_more_than_the_server_takes_and_always_one_rule() {
        let draft = |bytes: usize| Draft { line: 1, end: ExpireAt::Never, body: "x".repeat(bytes) };
        for (bytes, counts) in [
            (vec![], vec![]),
            (vec![10; MAX_BATCH_LINES + 1], vec![MAX_BATCH_LINES, 1]),
            (vec![MAX_BATCH_BYTES / 2 - 1; 3], vec![2, 1]),
            (vec![MAX_BATCH_BYTES / 2; 3], vec![1, 1, 1]),
            (vec![MAX_BATCH_BYTES, 10], vec![1, 1]),
        ] {
            let drafts: Vec<Draft> = bytes.into_iter().map(draft).collect();
            let mut rest = &drafts[..];
            let mut found = Vec::new();
            while let Some((some, body)) = batch(rest) {
                assert!(body.len() <= MAX_BATCH_BYTES || some.len() == 1);
                found.push(some.len());
                rest = &rest[some.len()..];
            }
            assert_eq!(found, counts);
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_result_for_each_rule_is_strange() {
        let draft = || Draft { line: 7, end: ExpireAt::At(5), body: String::new() };
        for (answer, expected) in [
            (r#"{"results":[{"result":"written"},{"result":"replaced"}]}"#, Some((2, 1, 0, 0))),
            (r#"{"results":[{"result":"leftOut","error":"why"},{"result":"written"}]}"#, Some((1, 0, 1, 0))),
            (r#"{"results":[{"result":"written"}]}"#, None),
            (r#"{"results":[{"result":"written"},{"result":"lost"}]}"#, None),
            (r#"{}"#, None),
        ] {
            let mut imported = Imported::default();
            let noted = imported.note(&[draft(), draft()], &serde_json::from_str(answer).unwrap(), || 9);
            let Imported { written, replaced, ended, refused } = imported;
            match expected {
                Some(expected) => assert_eq!((written, replaced, ended, refused.len()), expected, "{answer}"),
                None => assert!(matches!(noted, Err(CliError::Strange { .. })), "{answer}"),
            }
        }
    }

    #[test]
    fn a_faulty_line_is_told_by_its_member() {
        for (line, why) in [
            ("x", "expected a JSON object"),
            (r#"{"rule":{}}"#, "group: expected a string"),
            (r#"{"group":"a"}"#, "rule: is missing"),
            (r#"{"group":"a","rule":{},"x":1}"#, "x: is not known here"),
            (r#"{"group":"a","rule":{},"expireAt":"soon"}"#, "expireAt: is no time that can be read"),
            (r#"{"group":"a","rule":{},"expireAt":true}"#, "expireAt: expected unix seconds, or a time"),
            (r#"{"group":"a","rule":5}"#, "rule: "),
        ] {
            let told = draft(line, 5).unwrap_err();
            assert!(told.starts_with(why), "{line}: {told}");
        }
        for (end, expected) in [("7", 7), (r#""in 2s""#, 7), (r#""2026-11-28""#, 1_795_824_000)] {
            let line = format!(r#"{{"group":"a","rule":{{}},"expireAt":{end}}}"#);
            let (draft, end) = draft(&line, 5).unwrap();
            assert_eq!((&draft["confirm"], &draft["expireAt"]), (&json!(true), &json!(expected)));
            assert_eq!(end, ExpireAt::At(expected));
        }
    }
}
