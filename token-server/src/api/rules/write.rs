//! `POST /v1/rules` and `POST /v1/rules/{group}`, for real or, with `dry_run=true`, to see what it would do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rules::{ExpireAt, Rule};
use serde::Serialize;

use super::view::RuleView;
use super::{MAX_BODY_BYTES, fields};
use crate::api::request::{Body, Document, GroupName, Parameters};
use crate::api::{ApiError, App};
use crate::judge::seconds;
use crate::recent::{Preview, WINDOW};
use crate::store::{Annotation, Mode, StoreError, StoredRule};

#[derive(Serialize)]
struct WrittenView {
    group: String,
    #[serde(flatten)]
    rule: RuleView,
}

#[derive(Serialize)]
struct PreviewView {
    group: String,
    mode: Mode,
    preview: PreviewNumbers,
}

#[derive(Serialize)]
struct PreviewNumbers {
    /// How far back the memory of subjects goes.
    seconds: u64,
    /// Subjects that were checked in this time and are remembered.
    subjects: usize,
    /// Those of them whose last token the rule would revoke.
    hits: usize,
}

/// A rule that was read and not yet written.
struct Draft {
    rule: Rule,
    annotation: Annotation,
}

/// `POST /v1/rules/{group}`
pub(in crate::api) async fn write_to_group(
    State(app): State<Arc<App>>,
    group: GroupName,
    parameters: Parameters,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    let mut document = Document::parse(&body)?;
    if let Some(named) = document.take("group").map(|group| fields::string("group", &group)).transpose()?
        && named != group.0
    {
        return Err(ApiError::invalid("group", "is another group than the path names"));
    }
    write(&app, group, parameters, document).await
}

/// `POST /v1/rules`
pub(in crate::api) async fn write_to_named_group(
    State(app): State<Arc<App>>,
    parameters: Parameters,
    Body(body): Body<MAX_BODY_BYTES>,
) -> Result<Response, ApiError> {
    let mut document = Document::parse(&body)?;
    let group = GroupName::parse(fields::string("group", &document.take_required("group")?)?)?;
    write(&app, group, parameters, document).await
}

async fn write(
    app: &Arc<App>,
    GroupName(group): GroupName,
    mut parameters: Parameters,
    document: Document,
) -> Result<Response, ApiError> {
    let dry_run = parameters.take("dry_run");
    parameters.finish()?;
    let dry_run = dry_run.map_or(Ok(false), |text| fields::flag("dry_run", &text))?;
    let draft = Draft::read(document, seconds(app.now()))?;
    if draft.annotation.mode == Mode::Shadow {
        refuse_to_try_what_is_enforced(app, &group, &draft.rule).await?;
    }
    if dry_run {
        return preview(app, group, draft).await;
    }
    let rule = match draft.annotation.mode {
        Mode::Enforce => enforce(app, &group, draft).await?,
        Mode::Shadow => try_out(app, &group, draft).await?,
    };
    Ok((StatusCode::CREATED, Json(WrittenView { group, rule })).into_response())
}

impl Draft {
    fn read(mut document: Document, now: i64) -> Result<Self, ApiError> {
        let rule = document.take_required("rule")?;
        let expire_at = document.take("expireAt");
        let confirm = document.take("confirm");
        let mode = document.take("mode");
        let note = document.take("note");
        let by = document.take("by");
        document.finish()?;

        let rule = Rule::parse(rule.get()).map_err(|error| ApiError::invalid("rule", error.to_string()))?;
        let expire_at = expire_at.map_or(Ok(ExpireAt::Never), |text| fields::end(&text, now))?;
        let confirmed = confirm.map_or(Ok(false), |text| fields::flag("confirm", text.get()))?;
        let mode = mode.map_or(Ok(Mode::default()), |text| fields::mode(&text))?;
        if mode == Mode::Enforce && rule.matches_everything() && !confirmed {
            return Err(ApiError::invalid(
                "confirm",
                "this rule revokes every token of the group; say \"confirm\": true",
            ));
        }
        let annotation = Annotation {
            mode,
            note: note.map(|text| fields::note(&text)).transpose()?,
            by: by.map(|text| fields::by(&text)).transpose()?,
            written_at: now,
            expire_at: expire_at.as_seconds(),
        };
        Ok(Self { rule, annotation })
    }
}

/// Whoever tries a rule must not think that it is switched off.
async fn refuse_to_try_what_is_enforced(app: &App, group: &str, rule: &Rule) -> Result<(), ApiError> {
    if app.revocations.contains(group, rule.canonical()).await? {
        return Err(ApiError::invalid("mode", "this rule is enforced already; delete it first"));
    }
    Ok(())
}

async fn enforce(app: &Arc<App>, group: &str, draft: Draft) -> Result<RuleView, ApiError> {
    let Draft { rule, annotation } = draft;
    let written = app.revocations.add(group.to_owned(), rule.clone(), annotation.end()).await;
    app.metrics.count_write(&written);
    let stored: StoredRule = written?;
    tracing::info!(revision = stored.revision, "a rule was written");
    // The rule goes first: it is what refuses tokens, the note only tells of it.
    app.annotations.put(group, rule, annotation.clone()).await?;
    Ok(RuleView::enforced(stored, Some(annotation)))
}

async fn try_out(app: &App, group: &str, draft: Draft) -> Result<RuleView, ApiError> {
    let Draft { rule, annotation } = draft;
    let json = rule.canonical().to_owned();
    app.annotations.put(group, rule, annotation.clone()).await?;
    tracing::info!("a rule in shadow mode was written");
    Ok(RuleView::tried(group, json, annotation, app.annotations.shadows()))
}

async fn preview(app: &App, group: String, draft: Draft) -> Result<Response, ApiError> {
    let (recent, now) = (Arc::clone(&app.recent), app.now());
    let Draft { rule, annotation } = draft;
    let (group, Preview { subjects, hits }) = tokio::task::spawn_blocking(move || {
        let preview = recent.preview(&rule, &group, now);
        (group, preview)
    })
    .await
    .map_err(|_| StoreError::Stopping)?;
    let preview = PreviewNumbers { seconds: WINDOW.as_secs(), subjects, hits };
    Ok(Json(PreviewView { group, mode: annotation.mode, preview }).into_response())
}
