//! `POST /v1/import`: many rules, one JSON object a line, in one transaction. Each line is judged as if it came alone.
//!
//! ```text
//! {"group":"anna","rule":{"rt":"x"},"expireAt":1700000000,"note":"why","by":"who"}
//! {"everybody":true,"rule":{"rt":"y"},"confirm":true,"forever":true}
//! ```

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use jose::Profile;
use serde::Serialize;

use super::draft::{Draft, UsualEnd, usual_end};
use super::fields::{MAX_BATCH_BYTES, MAX_BATCH_LINES, MAX_BODY_BYTES};
use super::{doubts, fields};
use crate::api::app::App;
use crate::api::error::ApiError;
use crate::api::request::{Body, Document, Parameters, Subject};
use crate::caller::Access;
use crate::payload::seconds;
use crate::revocations::{self, Act};
use crate::store::{EVERYBODY, Mode, Standing, StoreError};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct ImportedView {
    revision: u64,
    written: usize,
    replaced: usize,
    left_out: usize,
    results: Vec<LineView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LineView {
    /// Counted from 1; empty lines count and have no result.
    line: usize,
    result: LineResult,
    /// The member that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Why the rule, by its form, may not do what its writer thinks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum LineResult {
    Written,
    /// The same rule was there, and has this end and this note now.
    Replaced,
    LeftOut,
}

/// A line with something on it.
struct Line {
    number: usize,
    group: String,
    draft: Draft,
    warnings: Vec<String>,
}

/// `POST /v1/import`
pub(in crate::api) async fn import(
    State(app): State<Arc<App>>,
    access: Access,
    parameters: Parameters,
    Body(body): Body<MAX_BATCH_BYTES>,
) -> Result<Json<ImportedView>, ApiError> {
    parameters.finish()?;
    let act = Act { who: access.caller, at: app.now() };
    let (now, end) = (seconds(act.at), usual_end(&app));
    let profile = app.policy.profile;
    let reading = tokio::task::spawn_blocking(move || read(&body, now, end, profile));
    let (lines, mut results) = reading.await.map_err(|_| StoreError::Stopping)??;
    let (tried, enforced): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.draft.annotation.mode == Mode::Shadow);
    let revision = enforce(&app, enforced, &act, &mut results).await?;
    try_out(&app, tried, act, &mut results).await?;

    results.sort_by_key(|result| result.line);
    let count = |result| results.iter().filter(|line| line.result == result).count();
    let (written, replaced, left_out) =
        (count(LineResult::Written), count(LineResult::Replaced), count(LineResult::LeftOut));
    tracing::info!(revision, written, replaced, left_out, "rules were imported");
    Ok(Json(ImportedView { revision, written, replaced, left_out, results }))
}

/// The lines that can be written, and why others cannot.
fn read(
    body: &Bytes,
    now: i64,
    usual_end: UsualEnd,
    profile: Profile,
) -> Result<(Vec<Line>, Vec<LineView>), ApiError> {
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    let lines: Vec<(usize, &[u8])> = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).collect();
    if lines.len() > MAX_BATCH_LINES {
        return Err(ApiError::TooManyRules { max: MAX_BATCH_LINES });
    }
    let (mut good, mut left_out) = (Vec::with_capacity(lines.len()), Vec::new());
    for (index, line) in lines {
        let number = index.saturating_add(1);
        match read_line(line, now, usual_end) {
            Ok((group, draft)) => {
                let warnings = doubts::of(&draft.rule, profile);
                good.push(Line { number, group, draft, warnings });
            }
            Err(error) => left_out.push(LineView::left_out(number, &error)),
        }
    }
    Ok((good, left_out))
}

fn read_line(line: &[u8], now: i64, usual_end: UsualEnd) -> Result<(String, Draft), ApiError> {
    if line.len() > MAX_BODY_BYTES {
        return Err(ApiError::invalid("line", format!("is longer than {MAX_BODY_BYTES} bytes")));
    }
    let mut document =
        Document::parse(line).map_err(|_| ApiError::invalid("line", "is not a JSON object"))?;
    let everybody = document.take("everybody");
    let everybody = everybody.map_or(Ok(false), |text| fields::flag("everybody", text.get()))?;
    let group = if everybody {
        EVERYBODY.to_owned()
    } else {
        let Subject(subject) = Subject::parse(fields::string("group", &document.take_required("group")?)?)
            .map_err(|error| match error {
                ApiError::Everybody => ApiError::invalid("group", "g is no subject; say \"everybody\": true"),
                other => other,
            })?;
        subject
    };
    let draft = Draft::read(document, &group, now, usual_end)?;
    match draft.unconfirmed(&group) {
        Some(unconfirmed) => Err(unconfirmed.told("")),
        None => Ok((group, draft)),
    }
}

/// Writes the rules that refuse. Returns the revision.
async fn enforce(
    app: &Arc<App>,
    lines: Vec<Line>,
    act: &Act,
    results: &mut Vec<LineView>,
) -> Result<u64, ApiError> {
    if lines.is_empty() {
        return Ok(app.revocations().revision());
    }
    let added = app.revocations().add_all(lines.iter().map(Line::rule).collect(), act.clone()).await;
    if added.is_err() {
        app.metrics.count_write(&added);
    }
    let revocations::Written { revision, outcomes } = added?;
    for (line, outcome) in lines.into_iter().zip(outcomes) {
        app.metrics.count_write(&outcome);
        results.push(line.told(outcome, act));
    }
    Ok(revision)
}

/// Writes the rules that are only tried.
async fn try_out(
    app: &Arc<App>,
    lines: Vec<Line>,
    act: Act,
    results: &mut Vec<LineView>,
) -> Result<(), ApiError> {
    if lines.is_empty() {
        return Ok(());
    }
    let outcomes = app.revocations().try_out(lines.iter().map(Line::rule).collect(), act.clone()).await?;
    results.extend(lines.into_iter().zip(outcomes).map(|(line, outcome)| line.told(outcome, &act)));
    Ok(())
}

impl Line {
    /// The rule to write.
    fn rule(&self) -> revocations::Draft {
        let Draft { rule, annotation, .. } = &self.draft;
        revocations::Draft::new(self.group.clone(), rule.clone(), annotation.clone())
    }

    /// What came of it.
    fn told(self, outcome: Result<Option<Standing>, StoreError>, act: &Act) -> LineView {
        match outcome {
            Ok(before) => {
                let is_new = before.is_none_or(|before| before.end().has_passed(seconds(act.at)));
                LineView::done(self.number, is_new, self.warnings)
            }
            Err(error) => LineView::left_out(self.number, &error.into()),
        }
    }
}

impl LineView {
    fn done(line: usize, is_new: bool, warnings: Vec<String>) -> Self {
        let result = if is_new { LineResult::Written } else { LineResult::Replaced };
        Self { line, result, field: None, error: None, warnings }
    }

    fn left_out(line: usize, error: &ApiError) -> Self {
        let field = error.field().map(str::to_owned);
        Self {
            line,
            result: LineResult::LeftOut,
            field,
            error: Some(error.to_string()),
            warnings: Vec::new(),
        }
    }
}
